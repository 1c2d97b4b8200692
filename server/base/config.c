#include "base/config.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/num.h"
#include "base/panic.h"

enum kind {
    KIND_TEXT,
    KIND_WORDS,  /* a text that may stand as several words */
    KIND_HEX,    /* a text of hexadecimal digits, or an empty one */
    KIND_CHOICE, /* a word of the row's list */
    KIND_SWITCH,
    KIND_INTEGER,
    KIND_SIGNED, /* an integer that may be negative: the limits are an int64_t's bits */
    KIND_BYTES,
    KIND_BYTES_OR_PERCENT, /* a percentage is negative, as in Redis */
    KIND_OUTPUT_LIMITS,    /* words: class, hard, soft, seconds; and so on */
    KIND_PINNED,           /* Redis has it and tools ask for it; here it has this one value */
};

enum change { BOOT, LIVE };

struct row {
    const char *name;
    enum kind kind;
    enum change change;
    size_t field;
    const char *preset;
    uint64_t min, max;
    const char *choices; /* of CHOICE: "this, that", as errors show them */
};

#define TCP_KEEPIDLE_MAX 32767                   /* of Linux, which refuses more */
#define LIST_SIZE_MIN    ((uint64_t)(int64_t)-5) /* of SIGNED */

/* clang-format off */
#define ROW(name, kind, change, field, preset, min, max)                                           \
    {name, KIND_##kind, change, offsetof(struct config, field), preset, min, max, NULL}
#define CHOICE(name, change, field, preset, choices)                                               \
    {name, KIND_CHOICE, change, offsetof(struct config, field), preset, 0, 0, choices}
#define PINNED(name, value) {name, KIND_PINNED, LIVE, 0, value, 0, 0, NULL}

static const struct row CONFIG_TABLE[] = {
    ROW("bind",                WORDS,   BOOT, bind,                "127.0.0.1", 0, 0),
    ROW("protected-mode",      SWITCH,  LIVE, protected_mode,      "yes",       0, 0),
    ROW("port",                INTEGER, BOOT, port,                "7379",      1, 65535),
    ROW("io-uring",            SWITCH,  BOOT, io_uring,            "yes",       0, 0),
    ROW("poll-gap-us",         INTEGER, LIVE, poll_gap_us,         "100",       0, 1000),
    ROW("http-bind",           TEXT,    BOOT, http_bind,           "127.0.0.1", 0, 0),
    ROW("http-port",           INTEGER, BOOT, http_port,           "7380",      0, 65535),
    ROW("http-hosts",          WORDS,   LIVE, http_hosts,          "",          0, 0),
    ROW("tcp-backlog",         INTEGER, BOOT, tcp_backlog,         "511",       0, INT32_MAX),
    ROW("tcp-keepalive",       INTEGER, LIVE, tcp_keepalive,       "300",       0, TCP_KEEPIDLE_MAX),
    ROW("timeout",             INTEGER, LIVE, timeout,             "0",         0, INT32_MAX),
    ROW("maxclients",          INTEGER, LIVE, maxclients,          "10000",     1, UINT32_MAX),
    ROW("requirepass",         TEXT,    LIVE, requirepass,         "",          0, 0),
    ROW("maxmemory",           BYTES,   LIVE, maxmemory,           "0",         0, UINT64_MAX),
    ROW("maxmemory-clients",   BYTES_OR_PERCENT, LIVE, maxmemory_clients, "100%", 0, INT64_MAX),
    ROW("client-output-buffer-limit", OUTPUT_LIMITS, LIVE, output_limits,
        "normal 0 0 0 replica 256mb 64mb 60 pubsub 32mb 8mb 60", 0, 0),
    CHOICE("maxmemory-policy", LIVE,   maxmemory_policy,    "noeviction",
           "volatile-lru, volatile-lfu, volatile-random, volatile-ttl, allkeys-lru, allkeys-lfu, "
           "allkeys-random, noeviction"),
    ROW("maxmemory-samples",   INTEGER, LIVE, maxmemory_samples,   "5",         1, INT32_MAX),
    ROW("lfu-log-factor",      INTEGER, LIVE, lfu_log_factor,      "10",        0, INT32_MAX),
    ROW("lfu-decay-time",      INTEGER, LIVE, lfu_decay_time,      "1",         0, INT32_MAX),
    ROW("proto-max-bulk-len",  BYTES,   LIVE, proto_max_bulk_len,  "512mb",     1 << 20, INT64_MAX),
    ROW("reply-depth-max",     INTEGER, LIVE, reply_depth_max,     "32",        1, 1024),
    ROW("handles-max",         INTEGER, LIVE, handles_max,         "1000000",   1, UINT32_MAX),
    ROW("reply-values-max",    INTEGER, LIVE, reply_values_max,    "1000000",   1, UINT32_MAX),
    ROW("reply-bytes-max",     BYTES,   LIVE, reply_bytes_max,     "64mb",      1, UINT64_MAX),
    ROW("memory-waste-percent", INTEGER, LIVE, memory_waste_percent, "25",      0, 100),
    ROW("gc",                  SWITCH,  LIVE, gc,                  "yes",       0, 0),
    ROW("gc-budget-us",        INTEGER, LIVE, gc_budget_us,        "100",       10, 10000),
    ROW("gc-threshold",        INTEGER, LIVE, gc_threshold,        "0",         0, UINT32_MAX),
    ROW("list-max-listpack-size", SIGNED, LIVE, list_max_listpack_size, "128",
        LIST_SIZE_MIN, INT32_MAX),
    ROW("hash-max-listpack-entries", INTEGER, LIVE, hash_max_listpack_entries, "128", 0, INT32_MAX),
    ROW("hash-max-listpack-value",   BYTES,   LIVE, hash_max_listpack_value,   "64",  0, INT32_MAX),
    ROW("set-max-intset-entries",    INTEGER, LIVE, set_max_intset_entries,    "512", 0, INT32_MAX),
    ROW("set-max-listpack-entries",  INTEGER, LIVE, set_max_listpack_entries,  "32",  0, INT32_MAX),
    ROW("set-max-listpack-value",    BYTES,   LIVE, set_max_listpack_value,    "64",  0, INT32_MAX),
    ROW("zset-max-listpack-entries", INTEGER, LIVE, zset_max_listpack_entries, "128", 0, INT32_MAX),
    ROW("zset-max-listpack-value",   BYTES,   LIVE, zset_max_listpack_value,   "64",  0, INT32_MAX),
    CHOICE("loglevel",         LIVE,    loglevel,            "notice",
           "debug, verbose, notice, warning"),
    ROW("logfile",             TEXT,    BOOT, logfile,             "",          0, 0),
    ROW("hash-seed",           HEX,     BOOT, hash_seed,           "",          0, 16),
    PINNED("save",             ""),
    PINNED("appendonly",       "no"),
    PINNED("databases",        "1"),
};
/* clang-format on */

enum {
    ROWS = sizeof CONFIG_TABLE / sizeof *CONFIG_TABLE,
    WORDS_MAX = 64, /* of one directive, its name among them */
    PERCENT_MAX = 1000,
};

enum fault { FAULT_NONE, FAULT_FORM, FAULT_RANGE, FAULT_LENGTH };

/* Always false, so that a caller can return it. One line: what a file or a client wrote may stand
 * in it. */
static bool refuse(char error[CONFIG_ERROR_BYTES], const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static bool refuse(char error[CONFIG_ERROR_BYTES], const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error, CONFIG_ERROR_BYTES, format, args);
    va_end(args);
    for (char *c = error; *c; c++) {
        if (iscntrl((unsigned char)*c)) *c = '?';
    }
    return false;
}

static const struct row *row_find(struct view name)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (view_is(name, CONFIG_TABLE[i].name)) return &CONFIG_TABLE[i];
    }
    return NULL;
}

static void *row_field(const struct row *r, struct config *c)
{
    return (char *)c + r->field;
}

static const void *row_value(const struct row *r, const struct config *c)
{
    return (const char *)c + r->field;
}

static enum fault put_text(char *field, struct view value)
{
    if (value.n >= CONFIG_TEXT_BYTES) return FAULT_LENGTH;
    if (memchr(value.p, '\0', value.n)) return FAULT_FORM;
    memcpy(field, value.p, value.n);
    field[value.n] = '\0';
    return FAULT_NONE;
}

/* At most the row's `max` digits. */
static enum fault put_hex(const struct row *r, char *field, struct view value)
{
    for (size_t i = 0; i < value.n; i++)
        if (!isxdigit((unsigned char)value.p[i])) return FAULT_FORM;
    return value.n > r->max ? FAULT_FORM : put_text(field, value);
}

/* As the list writes it, in any case. */
static enum fault put_choice(const char *choices, char *field, struct view value)
{
    for (const char *at = choices;; at += 2) {
        struct view choice = {at, strcspn(at, ",")};
        at += choice.n;
        if (choice.n == value.n && strncasecmp(choice.p, value.p, value.n) == 0)
            return put_text(field, choice);
        if (!*at) return FAULT_FORM;
    }
}

static enum fault put_switch(bool *field, struct view value)
{
    bool yes = view_is(value, "yes");
    if (!yes && !view_is(value, "no")) return FAULT_FORM;
    *field = yes;
    return FAULT_NONE;
}

static enum fault put_number(const struct row *r, uint64_t *field, struct view value)
{
    uint64_t number;
    if (r->kind == KIND_BYTES) {
        if (!num_get_bytes(value, &number)) return FAULT_FORM;
    } else {
        int64_t integer;
        if (!num_get_integer(value, &integer)) return FAULT_FORM;
        if (integer < 0) return FAULT_RANGE;
        number = (uint64_t)integer;
    }
    if (number < r->min || number > r->max) return FAULT_RANGE;
    *field = number;
    return FAULT_NONE;
}

static enum fault put_signed(const struct row *r, int64_t *field, struct view value)
{
    int64_t number;
    if (!num_get_integer(value, &number)) return FAULT_FORM;
    if (number < (int64_t)r->min || number > (int64_t)r->max) return FAULT_RANGE;
    *field = number;
    return FAULT_NONE;
}

static enum fault put_bytes_or_percent(const struct row *r, int64_t *field, struct view value)
{
    uint64_t bytes;
    int64_t percent;
    if (value.n && value.p[value.n - 1] == '%') {
        if (!num_get_integer((struct view){value.p, value.n - 1}, &percent)) return FAULT_FORM;
        if (percent < 0 || percent > PERCENT_MAX) return FAULT_FORM;
        *field = -percent;
        return FAULT_NONE;
    }
    if (!num_get_bytes(value, &bytes)) return FAULT_FORM;
    if (bytes > r->max) return FAULT_RANGE;
    *field = (int64_t)bytes;
    return FAULT_NONE;
}

static void get_bytes_or_percent(int64_t field, char value[CONFIG_TEXT_BYTES])
{
    if (field < 0)
        snprintf(value, CONFIG_TEXT_BYTES, "%" PRId64 "%%", -field);
    else
        snprintf(value, CONFIG_TEXT_BYTES, "%" PRId64, field);
}

/* The next word of *rest, which goes on behind it; empty: there is none. */
static struct view next_word(struct view *rest)
{
    while (rest->n && *rest->p == ' ') rest->p++, rest->n--;
    struct view word = {rest->p, 0};
    while (word.n < rest->n && word.p[word.n] != ' ') word.n++;
    rest->p += word.n;
    rest->n -= word.n;
    return word;
}

static const char *const CLASS_NAMES[CLIENT_CLASSES] = {"normal", "slave", "pubsub"};

static int class_of(struct view word)
{
    if (view_is(word, "replica")) return CLIENT_REPLICA;
    for (int i = 0; i < CLIENT_CLASSES; i++)
        if (view_is(word, CLASS_NAMES[i])) return i;
    return -1;
}

/* The classes that are named; the others stay as they are. */
static enum fault put_output_limits(struct output_limit *field, struct view value)
{
    struct output_limit limits[CLIENT_CLASSES];
    memcpy(limits, field, sizeof limits);
    struct view word = next_word(&value);
    if (!word.n) return FAULT_FORM;
    for (; word.n; word = next_word(&value)) {
        int class = class_of(word);
        struct output_limit limit;
        int64_t seconds;
        if (class < 0 || !num_get_bytes(next_word(&value), &limit.hard_bytes) ||
            !num_get_bytes(next_word(&value), &limit.soft_bytes) ||
            !num_get_integer(next_word(&value), &seconds) || seconds < 0 || seconds > INT32_MAX)
            return FAULT_FORM;
        limit.soft_s = (uint64_t)seconds;
        limits[class] = limit;
    }
    memcpy(field, limits, sizeof limits);
    return FAULT_NONE;
}

static void get_output_limits(const struct output_limit *field, char value[CONFIG_TEXT_BYTES])
{
    size_t n = 0;
    for (int i = 0; i < CLIENT_CLASSES; i++)
        n += (size_t)snprintf(value + n, CONFIG_TEXT_BYTES - n,
                              "%s%s %" PRIu64 " %" PRIu64 " %" PRIu64, i ? " " : "", CLASS_NAMES[i],
                              field[i].hard_bytes, field[i].soft_bytes, field[i].soft_s);
}

/* The field is untouched by a fault. */
static enum fault row_put(const struct row *r, struct config *c, struct view value)
{
    switch (r->kind) {
    case KIND_TEXT:
    case KIND_WORDS: return put_text(row_field(r, c), value);
    case KIND_HEX: return put_hex(r, row_field(r, c), value);
    case KIND_CHOICE: return put_choice(r->choices, row_field(r, c), value);
    case KIND_SWITCH: return put_switch(row_field(r, c), value);
    case KIND_INTEGER:
    case KIND_BYTES: return put_number(r, row_field(r, c), value);
    case KIND_SIGNED: return put_signed(r, row_field(r, c), value);
    case KIND_BYTES_OR_PERCENT: return put_bytes_or_percent(r, row_field(r, c), value);
    case KIND_OUTPUT_LIMITS: return put_output_limits(row_field(r, c), value);
    case KIND_PINNED: return view_is(value, r->preset) ? FAULT_NONE : FAULT_FORM;
    }
    return FAULT_FORM;
}

void config_init(struct config *c)
{
    memset(c, 0, sizeof *c);
    for (size_t i = 0; i < ROWS; i++) {
        enum fault fault = row_put(&CONFIG_TABLE[i], c, view_of(CONFIG_TABLE[i].preset));
        ASSERT(fault == FAULT_NONE);
    }
}

bool config_get(const struct config *c, uint32_t index, const char **name,
                char value[CONFIG_TEXT_BYTES])
{
    if (index >= ROWS) return false;
    const struct row *r = &CONFIG_TABLE[index];
    const void *field = row_value(r, c);
    const char *text = field;
    *name = r->name;
    switch (r->kind) {
    case KIND_INTEGER:
    case KIND_BYTES:
        snprintf(value, CONFIG_TEXT_BYTES, "%" PRIu64, *(const uint64_t *)field);
        return true;
    case KIND_SIGNED:
        snprintf(value, CONFIG_TEXT_BYTES, "%" PRId64, *(const int64_t *)field);
        return true;
    case KIND_BYTES_OR_PERCENT: get_bytes_or_percent(*(const int64_t *)field, value); return true;
    case KIND_OUTPUT_LIMITS: get_output_limits(field, value); return true;
    case KIND_SWITCH: text = *(const bool *)field ? "yes" : "no"; break;
    case KIND_PINNED: text = r->preset; break;
    case KIND_TEXT:
    case KIND_WORDS:
    case KIND_HEX:
    case KIND_CHOICE: break;
    }
    memcpy(value, text, strlen(text) + 1);
    return true;
}

/* Redis's words, which its clients know, wherever Redis has such a fault. */
static void explain_to_client(const struct row *r, enum fault fault, char error[CONFIG_ERROR_BYTES])
{
    if (fault == FAULT_RANGE && r->kind == KIND_SIGNED) {
        refuse(error, "argument must be between %lld and %lld inclusive", (long long)r->min,
               (long long)r->max);
        return;
    }
    if (fault == FAULT_RANGE) {
        refuse(error, "argument must be between %llu and %llu inclusive",
               (unsigned long long)r->min, (unsigned long long)r->max);
        return;
    }
    if (fault == FAULT_LENGTH) {
        refuse(error, "argument must be at most %d bytes long", CONFIG_TEXT_BYTES - 1);
        return;
    }
    switch (r->kind) {
    case KIND_TEXT:
    case KIND_WORDS: refuse(error, "argument must not contain a NUL byte"); return;
    case KIND_HEX:
        refuse(error, "argument must be %d hexadecimal digits at most", (int)r->max);
        return;
    case KIND_CHOICE:
        refuse(error, "argument(s) must be one of the following: %s", r->choices);
        return;
    case KIND_SWITCH: refuse(error, "argument must be 'yes' or 'no'"); return;
    case KIND_INTEGER:
    case KIND_SIGNED: refuse(error, "argument couldn't be parsed into an integer"); return;
    case KIND_BYTES: refuse(error, "argument must be a memory value"); return;
    case KIND_BYTES_OR_PERCENT: refuse(error, "argument must be a memory or percent value"); return;
    case KIND_OUTPUT_LIMITS:
        refuse(error, "Error in class, hard, soft or soft_seconds setting in buffer limit "
                      "configuration.");
        return;
    case KIND_PINNED: refuse(error, "argument must be '%s'", r->preset); return;
    }
}

enum config_set config_set(struct config *c, struct view name, struct view value,
                           char error[CONFIG_ERROR_BYTES])
{
    const struct row *r = row_find(name);
    if (!r) return CONFIG_SET_UNKNOWN;
    if (r->change == BOOT) return CONFIG_SET_FIXED;
    enum fault fault = row_put(r, c, value);
    if (fault == FAULT_NONE) return CONFIG_SET_DONE;
    if (r->kind == KIND_PINNED) return CONFIG_SET_FIXED;
    explain_to_client(r, fault, error);
    return CONFIG_SET_INVALID;
}

/* The same fault for whoever starts heapd: `where` says which file and line, or is "--". */
static bool explain_to_operator(const struct row *r, enum fault fault, const char *where,
                                struct view value, char error[CONFIG_ERROR_BYTES])
{
    int n = value.n < 64 ? (int)value.n : 64;
    unsigned long long min = r->min, max = r->max;
    if (fault == FAULT_LENGTH) {
        return refuse(error, "%s%s: longer than %d bytes", where, r->name, CONFIG_TEXT_BYTES - 1);
    }
    switch (r->kind) {
    case KIND_HEX:
        return refuse(error, "%s%s: '%.*s' is not a hexadecimal number of at most %llu digits",
                      where, r->name, n, value.p, max);
    case KIND_CHOICE:
        return refuse(error, "%s%s: '%.*s' is not one of %s", where, r->name, n, value.p,
                      r->choices);
    case KIND_SWITCH:
        return refuse(error, "%s%s: '%.*s' is not yes or no", where, r->name, n, value.p);
    case KIND_INTEGER:
        return refuse(error, "%s%s: '%.*s' is not a number from %llu to %llu", where, r->name, n,
                      value.p, min, max);
    case KIND_SIGNED:
        return refuse(error, "%s%s: '%.*s' is not a number from %lld to %lld", where, r->name, n,
                      value.p, (long long)min, (long long)max);
    case KIND_BYTES:
        return refuse(error, "%s%s: '%.*s' is not a size from %llu bytes on, such as 100mb", where,
                      r->name, n, value.p, min);
    case KIND_BYTES_OR_PERCENT:
        return refuse(error, "%s%s: '%.*s' is not a size, such as 100mb, or a percentage", where,
                      r->name, n, value.p);
    case KIND_OUTPUT_LIMITS:
        return refuse(
            error,
            "%s%s: '%.*s' is not a class (normal, replica, pubsub) with two sizes and seconds",
            where, r->name, n, value.p);
    case KIND_PINNED:
        return refuse(error, "%s%s: '%.*s' is not '%s', the only value that heapd has", where,
                      r->name, n, value.p, r->preset);
    case KIND_TEXT:
    case KIND_WORDS: break;
    }
    return refuse(error, "%s%s: a NUL byte", where, r->name);
}

/* words[0] is the name. `where` as above. */
static bool apply(struct config *c, const struct view *words, size_t count, const char *where,
                  char error[CONFIG_ERROR_BYTES])
{
    int name_bytes = words[0].n < 64 ? (int)words[0].n : 64;
    const struct row *r = row_find(words[0]);
    if (!r && strcmp(where, "--") == 0) {
        return refuse(error, "--%.*s: unknown directive", name_bytes, words[0].p);
    }
    if (!r) return refuse(error, "%sunknown directive '%.*s'", where, name_bytes, words[0].p);
    bool several = r->kind == KIND_WORDS || r->kind == KIND_OUTPUT_LIMITS || r->kind == KIND_PINNED;
    if (count < 2) return refuse(error, "%s%s: its value is missing", where, r->name);
    if (count > 2 && !several) {
        return refuse(error, "%s%s: wants one value, not %zu", where, r->name, count - 1);
    }
    char joined[CONFIG_TEXT_BYTES];
    struct view value = words[1];
    for (size_t i = 2; i < count; i++) {
        if (value.n + 1 + words[i].n >= sizeof joined) {
            return explain_to_operator(r, FAULT_LENGTH, where, value, error);
        }
        if (i == 2) memcpy(joined, value.p, value.n);
        joined[value.n] = ' ';
        memcpy(joined + value.n + 1, words[i].p, words[i].n);
        value = (struct view){joined, value.n + 1 + words[i].n};
    }
    enum fault fault = row_put(r, c, value);
    return fault == FAULT_NONE || explain_to_operator(r, fault, where, value, error);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Reads what follows a backslash in double quotes; returns how many chars that were. */
static size_t unescape(const char *p, char *out)
{
    static const char letters[] = "nrtba", meant[] = "\n\r\t\b\a";
    if (p[0] == 'x' && hex_digit(p[1]) >= 0 && hex_digit(p[2]) >= 0) {
        *out = (char)(hex_digit(p[1]) << 4 | hex_digit(p[2]));
        return 3;
    }
    const char *letter = strchr(letters, p[0]);
    *out = letter ? meant[letter - letters] : p[0];
    return 1;
}

/* One word, quoted in part or whole as Redis's sdssplitargs has it: what is quoted ends the word.
 * It is written over its own text, which is never shorter. NULL when a quote is not closed. */
static char *split_word(char *p, struct view *word)
{
    char *out = p, quote = '\0';
    word->p = p;
    for (; *p && (quote || !isspace((unsigned char)*p)); p++) {
        if (!quote && (*p == '"' || *p == '\'')) {
            quote = *p;
        } else if (quote && *p == quote) {
            if (p[1] && !isspace((unsigned char)p[1])) return NULL;
            quote = '\0';
        } else if (quote == '"' && *p == '\\' && p[1]) {
            p += unescape(p + 1, out++);
        } else if (quote == '\'' && *p == '\\' && p[1] == '\'') {
            *out++ = *++p;
        } else {
            *out++ = *p;
        }
    }
    word->n = (size_t)(out - word->p);
    return quote ? NULL : p;
}

static bool load_line(struct config *c, char *line, const char *where,
                      char error[CONFIG_ERROR_BYTES])
{
    struct view words[WORDS_MAX];
    size_t count = 0;
    for (char *p = line;; count++) {
        while (isspace((unsigned char)*p)) p++;
        if (!*p || (count == 0 && *p == '#')) break;
        if (count == WORDS_MAX) return refuse(error, "%stoo many words", where);
        p = split_word(p, &words[count]);
        if (!p) return refuse(error, "%sunbalanced quotes", where);
    }
    return count == 0 || apply(c, words, count, where, error);
}

static bool load_file(struct config *c, const char *path, char error[CONFIG_ERROR_BYTES])
{
    if (put_text(c->file, view_of(path)) != FAULT_NONE) {
        return refuse(error, "heapd: the name of the configuration file is longer than %d bytes",
                      CONFIG_TEXT_BYTES - 1);
    }
    FILE *file = fopen(path, "re");
    if (!file) return refuse(error, "heapd: cannot open '%s': %s", path, strerror(errno));
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    bool good = true;
    for (unsigned at = 1; good && (n = getline(&line, &room, file)) >= 0; at++) {
        char where[CONFIG_TEXT_BYTES + 32];
        snprintf(where, sizeof where, "%s:%u: ", path, at);
        good = strlen(line) == (size_t)n ? load_line(c, line, where, error)
                                         : refuse(error, "%sa NUL byte", where);
    }
    if (good && ferror(file)) {
        good = refuse(error, "heapd: cannot read '%s': %s", path, strerror(errno));
    }
    free(line);
    fclose(file);
    return good;
}

bool config_load(struct config *c, int argc, char **argv, char error[CONFIG_ERROR_BYTES])
{
    int i = 1;
    if (i < argc && strncmp(argv[i], "--", 2) != 0 && !load_file(c, argv[i++], error)) return false;
    while (i < argc) {
        struct view words[WORDS_MAX] = {view_of(argv[i++])};
        size_t count = 1;
        if (words[0].n < 3 || memcmp(words[0].p, "--", 2) != 0) {
            return refuse(error, "heapd: '%.64s' is not a directive: --name value", words[0].p);
        }
        words[0].p += 2;
        words[0].n -= 2;
        for (; i < argc && strncmp(argv[i], "--", 2) != 0; i++) {
            if (count == WORDS_MAX) return refuse(error, "--%s: too many words", words[0].p);
            words[count++] = view_of(argv[i]);
        }
        if (!apply(c, words, count, "--", error)) return false;
    }
    return true;
}
