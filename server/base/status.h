/*
 * Every way in which an operation can fail, in one place.
 *
 * A function that can fail returns `enum status`; results go through pointers, which are untouched
 * on failure. Code below command/ neither formats a reply nor logs an error that it returns. The
 * command floor turns a status into its RESP text with status_text(), the error line without the
 * leading '-'.
 */
#ifndef HEAPD_BASE_STATUS_H
#define HEAPD_BASE_STATUS_H

/* clang-format off */
#define STATUS_TABLE(X)                                                                            \
    X(OK,             "OK")                                                                        \
    X(OOM,            "OOM out of memory: the command was not run")                                \
    X(WRONG_TYPE,     "WRONGTYPE Operation against a key holding the wrong kind of value")         \
    X(NOT_INTEGER,    "ERR value is not an integer or out of range")                               \
    X(NOT_FLOAT,      "ERR value is not a valid float")                                            \
    X(SYNTAX,         "ERR syntax error")                                                          \
    X(NO_KEY,         "ERR no such key")                                                           \
    X(INDEX_RANGE,    "ERR index out of range")                                                    \
    X(OVERFLOW,       "ERR increment or decrement would overflow")                                 \
    X(NAN_OR_INF,     "ERR increment would produce NaN or Infinity")                               \
    X(TOO_LONG,       "ERR string exceeds maximum allowed size (proto-max-bulk-len)")              \
    X(NO_HANDLE,      "NOHANDLE this connection holds no such handle")                             \
    X(TOO_MANY_HANDLES, "ERR this connection holds as many handles as handles-max allows: RELEASE some") \
    X(NO_OBJECT,      "NOOBJECT no such object")                                                   \
    X(RESERVED,       "ERR keys of the form '&:hex' and '#:hex' are reserved for handles and identities") \
    X(NOT_A_NAME,     "ERR a handle is not a name")                                                \
    X(TOO_BIG,        "TOOBIG the reply would hold more than reply-values-max values")             \
    X(TOO_LONG_REPLY, "TOOBIG the reply would hold more bytes than its limit")                     \
    X(SCORE_NAN,      "ERR resulting score is not a number (NaN)")                                 \
    X(TOO_MANY,       "ERR a container holds at most 4294967295 elements")                         \
    X(NOT_WEAKLY,     "ERR WEAKREF: only a list, hash, set or zset can be referred to weakly")      \
    X(BROKEN,         "ERR a record does not fit the state that it is applied to")                 \
    X(REPLIED,        "")
/* clang-format on */

enum status {
#define X(code, text) STATUS_##code,
    STATUS_TABLE(X)
#undef X
};

/* The error line of a status, without '-' and CR LF. STATUS_REPLIED means that the line was already
 * written by whoever returned it, and has no text. */
static inline const char *status_text(enum status s)
{
    static const char *const texts[] = {
#define X(code, text) text,
        STATUS_TABLE(X)
#undef X
    };
    return texts[s];
}

#define MUST_USE __attribute__((warn_unused_result))

#endif
