/*
 * One running command, as its handler sees it: arguments in, reply out.
 *
 * A handler parses, looks up, checks types, changes, replies: in that order. It returns STATUS_OK
 * with exactly one reply written, or a status with nothing changed: dispatch then takes back
 * whatever was written and every handle made, and writes the error. Since a reply can be taken back
 * and a change cannot, a handler that pops or removes writes the reply first and then does what
 * cannot fail.
 *
 * The prefixes REF and WEAKREF change only how values are read and written (`v` in commands.def):
 * call_needle, call_value and reply_value do all of it, so that a handler has one body for all
 * forms.
 *
 *              an argument is             stored                  a reply is
 *   BY_VALUE   a text                     as it is                the value, nested
 *   BY_REF     a source (key, handle,     a reference             a handle, or nil
 *              identity)
 *   BY_WEAKREF a source, which must be a  a weak reference        the identity of a container, or
 *              container to be stored     (value/val.h)           nil; a string by value
 *
 * A string has no identity, and a reply of WEAKREF shows it by value: nil would say that nothing is
 * there, and an error would make a list of both kinds unreadable.
 *
 * A container that REF stores is marked for life (OBJ_REFERRED): emptied, it keeps its names. A
 * handler marks its sources (call_stored) when all of them are stored: a command that fails, or
 * stores nothing, leaves no mark.
 *
 * Ownership: argv are views of the input, good until the handler returns; values returned as
 * borrowed are good until the heap changes.
 */
#ifndef HEAPD_COMMAND_CALL_H
#define HEAPD_COMMAND_CALL_H

#include "engine/engine.h"
#include "proto/writer.h"

struct command;

enum call_form { BY_VALUE, BY_REF, BY_WEAKREF };

struct call {
    struct engine *engine;
    struct heap *heap;
    struct keyspace *keyspace;
    struct session *session;
    const struct command *command;
    const struct view *argv; /* argv[0] is the command's name; no prefix is among them */
    uint32_t argc;
    enum call_form form;
    uint32_t key_hash;           /* of the first key; 0: not computed yet */
    const struct given *adopted; /* arguments that are strings already; NULL: none */
    struct proto_buf *out;
    size_t out_start;                  /* where this command's reply begins */
    struct reply_refs *refs;           /* large values of the reply; NULL: they are copied */
    struct reply_ref *refs_start;      /* the last one before this command's, */
    uint64_t refs_bytes_start;         /* and the bytes up to there */
    struct effects_mark effects_start; /* where this command's effects begin in the batch */
    int64_t now_ms;
    const struct obj *open; /* the container that the reply shows as a whole (HGETALL, LRANGE): met
                               again below, it stands as its identity */
    /* Inside nested containers, replied so far: values, and bytes of strings. */
    uint64_t nested_values, nested_bytes;
};

/* --- arguments --- */

enum status call_integer(struct call *c, uint32_t i,
                         int64_t *out) MUST_USE;                           /* STATUS_NOT_INTEGER */
enum status call_double(struct call *c, uint32_t i, double *out) MUST_USE; /* STATUS_NOT_FLOAT */
/* Whether argument i is this word, in any case. False past the end. */
bool call_is(const struct call *c, uint32_t i, const char *word);

/* The hash of a key argument. */
uint32_t call_key_hash(const struct call *c, uint32_t i);
/* A key that a command is about to create, change or remove as a name: handles and identities are
 * refused. */
enum status call_name(struct call *c, uint32_t i) MUST_USE;

/*
 * What a key argument stands for. A key: its entry, or nothing. A handle: the value that it holds.
 * `v` is VAL_NONE when nothing is bound. Both pointers are good until the heap or the keyspace
 * changes.
 */
struct subject {
    struct entry *e; /* NULL for handles, and when nothing is bound */
    struct obj *o;   /* the container, when a type was asked for and it is there */
    val v;
    uint32_t i; /* the argument */
    /* Of a container that call_ensure has made: its name is staged (keyspace.h), and call_made ends
     * that. */
    bool made, fresh;
    uint32_t hash;
};

/* For a command that reads: counts hits and misses. Any type. */
enum status call_read_any(struct call *c, uint32_t i, struct subject *s) MUST_USE;
/* The same for one container type; o NULL when nothing is bound; STATUS_WRONG_TYPE. */
enum status call_read(struct call *c, uint32_t i, enum obj_type type, struct subject *s) MUST_USE;
/* For a command that reads one plain string; v VAL_NONE when missing. A handle may hold one. */
enum status call_read_string(struct call *c, uint32_t i, struct subject *s) MUST_USE;
/* For a command that changes a container of this type, if it is there. */
enum status call_write(struct call *c, uint32_t i, enum obj_type type, struct subject *s) MUST_USE;
/* The same, and makes an empty one if nothing is bound. Its name is bound when it is filled: end
 * with call_made, after an error or not, which cannot fail. */
enum status call_ensure(struct call *c, uint32_t i, enum obj_type type, struct subject *s) MUST_USE;
/* What call_ensure gave was filled, or not: binds the name of a container that it has made, or
 * drops that container, and the name is what it was. */
void call_made(struct call *c, struct subject *s, enum status filled);
/* After a change: a container that is empty and that REF never stored takes its name with it. */
void call_settle(struct call *c, struct subject *s);
/* Before a handle or an identity of what a name is bound to is given out: so that it loses its name
 * when it is emptied through that. e may be NULL. */
enum status call_give(struct call *c, struct entry *e) MUST_USE;
/* Whether its container, which is there, goes with its name: nothing else refers to it, and REF
 * never stored it. */
bool call_is_sole(const struct subject *s);
/* Number of elements of any container. */
uint64_t container_length(const struct obj *o);
/* The same without those that are gone and not yet removed: what a walk shows. */
uint64_t container_shown(const struct heap *h, const struct obj *o);

/* Nothing more is run for the session until what it waits for is there (session/wait.h); the type's
 * reply() is then the command's. */
void call_wait(struct call *c, const struct wait_type *type, struct wait_queue *source);

/* --- values (the `v` of commands.def) --- */

/* Argument i as a text to look for: fields, and members by value. */
struct needle call_text_needle(const struct call *c, uint32_t i);
/* A value to look for or to compare with; nothing is allocated. After REF the argument names a
 * source. */
enum status call_needle(struct call *c, uint32_t i, struct needle *out) MUST_USE;
/* The same for a look into this list, set or zset alone (NULL: there is none to look into): what
 * needs no hash to be found is not hashed. */
enum status call_needle_in(struct call *c, uint32_t i, const struct obj *o,
                           struct needle *out) MUST_USE;
/* A value to store, counted. After REF the very value that the source is bound to. */
enum status call_value(struct call *c, uint32_t i, RC_OUT val *out) MUST_USE;
/* After REF: v, a source, has been stored, and the command cannot fail any more. Other forms mark
 * nothing. */
void call_stored(struct call *c, val v);
/* The same for the source that argument i still names: not in a command that binds names. */
void call_stored_source(struct call *c, uint32_t i);
/* What a source (a key, a handle, an identity) stands for now, perhaps as bytes in a name's entry;
 * STATUS_REPLIED with -NOOBJECT naming it. */
enum status call_source(struct call *c, uint32_t i, RC_BORROWED val *out) MUST_USE;
/* An object that is only looked at (OBJECT, MEMORY USAGE): a key, a handle or an identity; VAL_NONE
 * when there is none. No hit is counted and no clock is set. */
enum status call_inspect(struct call *c, uint32_t i, struct subject *s) MUST_USE;

/* --- replies --- */

void reply_ok(struct call *c);
void reply_simple(struct call *c, const char *text);
void reply_integer(struct call *c, int64_t n);
void reply_bulk(struct call *c, struct view text);
void reply_text(struct call *c, const char *text); /* as a bulk */
void reply_format(struct call *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));             /* as a bulk */
void reply_verbatim(struct call *c, struct view text); /* RESP2: a bulk */
void reply_null(struct call *c);
void reply_null_array(struct call *c);
void reply_array(struct call *c, uint64_t n);
void reply_map(struct call *c, uint64_t pairs); /* RESP2: an array of twice as many */
void reply_set(struct call *c, uint64_t n);     /* RESP2: an array */
void reply_double(struct call *c, double d);    /* RESP2: a bulk */
/* A value in the call's form. VAL_NONE and nil: null. STATUS_TOO_BIG, STATUS_TOO_LONG_REPLY,
 * STATUS_OOM. */
enum status reply_value(struct call *c, val v) MUST_USE;
/* The same for the very value of a key argument, which may so give out a handle of it: a plain
 * value that lies in the name's entry is shared from then on, and the entry may move. */
enum status reply_subject(struct call *c, struct subject *s) MUST_USE;
/* A field name, or any string value that is shown by its bytes whatever the prefix. */
void reply_string(struct call *c, val v);
/* Whether another value may be written: a list of one long string many times over is a longer reply
 * than any memory. A reply of one value passes at any length. */
bool reply_has_room(const struct call *c);
/* A value nested by value to a depth of its own (FETCH). */
enum status reply_nested(struct call *c, val v, uint64_t depth_max) MUST_USE;
/* The identity of a container: "#:1f". */
enum status reply_identity(struct call *c, struct obj *o) MUST_USE;
/* The same where a container stands for what is not shown of it: in RESP3 a verbatim string of
 * format `ref`. */
enum status reply_cut(struct call *c, struct obj *o) MUST_USE;
/* As reply_value; a container whose reply is too big or too long stands as its identity. For a
 * command that moves the value, and so needs no reply of it. Nothing has been changed yet. */
enum status reply_value_or_cut(struct call *c, val v) MUST_USE;
/* A handle to the value. STATUS_TOO_MANY_HANDLES from handles-max on. */
enum status reply_handle(struct call *c, val v) MUST_USE;

/* HELP of a container of commands: its lines between those that Redis puts around them. */
enum status reply_help(struct call *c, const char *const *lines, uint32_t count);

/* An error of its own text ("ERR ..."): everything written is taken back, and the error is counted.
 * Returns STATUS_REPLIED. */
enum status call_error(struct call *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* "ERR wrong number of arguments for 'x' command" and "ERR unknown subcommand ..." of the running
 * command. */
enum status call_error_arity(struct call *c);
enum status call_error_subcommand(struct call *c);

#endif
