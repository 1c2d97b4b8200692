/*
 * The configuration: defaults, the file, the command line, CONFIG SET, and one line that says what
 * is wrong.
 *
 * Method: files of a temporary folder and arguments as main's; conf/heapd.conf itself is read too,
 * and must name every directive with its default. Redis's words were asked of redis-server 7.0.15.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/config.h"

static char folder[] = "/tmp/heapd-test-config-XXXXXX", path[64];

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) return -1;
    snprintf(path, sizeof path, "%s/x.conf", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

/* Loads the arguments, up to a NULL; an error that is expected stands in `error`. */
static bool load(struct config *c, char error[CONFIG_ERROR_BYTES], const char *const *words)
{
    char *argv[16] = {"heapd"};
    int argc = 1;
    for (; *words; words++) argv[argc++] = (char *)(uintptr_t)*words;
    config_init(c);
    strcpy(error, "untouched");
    return config_load(c, argc, argv, error);
}

#define LOAD(...) load(&c, error, (const char *const[]){__VA_ARGS__, NULL})
#define ASSERT_LOADED(...)                                                                         \
    do {                                                                                           \
        if (!LOAD(__VA_ARGS__)) fail_msg("%s", error);                                             \
    } while (0)

static bool load_bytes(struct config *c, char error[CONFIG_ERROR_BYTES], const char *p, size_t n)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(p, 1, n, f), n);
    fclose(f);
    return load(c, error, (const char *const[]){path, NULL});
}

static bool load_text(struct config *c, char error[CONFIG_ERROR_BYTES], const char *text)
{
    return load_bytes(c, error, text, strlen(text));
}

static const char *value_of(const struct config *c, const char *wanted)
{
    static char value[CONFIG_TEXT_BYTES];
    const char *name;
    for (uint32_t i = 0; config_get(c, i, &name, value); i++) {
        if (strcmp(name, wanted) == 0) return value;
    }
    return NULL;
}

static const struct {
    const char *name, *value;
    bool pinned;
} defaults[] = {
    {"bind", "127.0.0.1", false},
    {"protected-mode", "yes", false},
    {"port", "7379", false},
    {"io-uring", "yes", false},
    {"poll-gap-us", "100", false},
    {"http-bind", "127.0.0.1", false},
    {"http-port", "7380", false},
    {"http-hosts", "", false},
    {"tcp-backlog", "511", false},
    {"tcp-keepalive", "300", false},
    {"timeout", "0", false},
    {"maxclients", "10000", false},
    {"maxmemory", "0", false},
    {"maxmemory-policy", "noeviction", false},
    {"maxmemory-samples", "5", false},
    {"lfu-log-factor", "10", false},
    {"lfu-decay-time", "1", false},
    {"memory-waste-percent", "25", false},
    {"proto-max-bulk-len", "536870912", false},
    {"maxmemory-clients", "100%", false},
    {"client-output-buffer-limit",
     "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60", false},
    {"loglevel", "notice", false},
    {"logfile", "", false},
    {"requirepass", "", false},
    {"hash-seed", "", false},
    {"gc", "yes", false},
    {"gc-budget-us", "100", false},
    {"gc-threshold", "0", false},
    {"reply-depth-max", "32", false},
    {"handles-max", "1000000", false},
    {"reply-values-max", "1000000", false},
    {"reply-bytes-max", "67108864", false},
    {"list-max-listpack-size", "128", false},
    {"hash-max-listpack-entries", "128", false},
    {"hash-max-listpack-value", "64", false},
    {"set-max-intset-entries", "512", false},
    {"set-max-listpack-entries", "32", false},
    {"set-max-listpack-value", "64", false},
    {"zset-max-listpack-entries", "128", false},
    {"zset-max-listpack-value", "64", false},
    {"save", "", true},
    {"appendonly", "no", true},
    {"databases", "1", true},
};

enum { DIRECTIVES = sizeof defaults / sizeof *defaults };

static void test_config_init_defaults(void **state)
{
    (void)state;
    struct config c;
    config_init(&c);
    uint32_t count = 0;
    const char *name;
    char value[CONFIG_TEXT_BYTES];
    while (config_get(&c, count, &name, value)) count++;
    assert_int_equal(count, DIRECTIVES);
    for (uint32_t i = 0; i < DIRECTIVES; i++) {
        const char *got = value_of(&c, defaults[i].name);
        assert_non_null(got);
        assert_string_equal(got, defaults[i].value);
    }
}

static void test_config_load_nothing(void **state)
{
    (void)state;
    struct config c, fresh;
    char error[CONFIG_ERROR_BYTES];
    config_init(&fresh);
    assert_true(load(&c, error, (const char *const[]){NULL}));
    assert_memory_equal(&c, &fresh, sizeof c);
    assert_string_equal(error, "untouched");
}

static void test_config_load_file_form(void **state)
{
    (void)state;
    struct config c;
    char error[CONFIG_ERROR_BYTES];
    bool good = load_text(&c, error,
                          "# a comment\n\n  \t port 7400 \r\nGC no\n"
                          "requirepass \"a\\x41\\n\\\"# \\q\"\nlogfile 'it\\'s a \\file'\n"
                          "bind 127.0.0.1   ::1\nmaxmemory 1gb\nhttp-bind ab\"c d\"\n"
                          "  # another\nsave \"\"\nloglevel VERBOSE\nhttp-port 0");
    if (!good) fail_msg("%s", error);
    assert_int_equal(c.port, 7400);
    assert_false(c.gc);
    assert_string_equal(c.requirepass, "aA\n\"# q");
    assert_string_equal(c.logfile, "it's a \\file");
    assert_string_equal(c.bind, "127.0.0.1 ::1");
    assert_int_equal(c.maxmemory, 1 << 30);
    assert_string_equal(c.http_bind, "abc d");
    assert_string_equal(c.loglevel, "verbose");
    assert_int_equal(c.http_port, 0);
    assert_string_equal(c.file, path);
}

static void test_config_load_file_faults(void **state)
{
    (void)state;
    static const struct {
        const char *text, *error; /* the error without the file's name */
    } cases[] = {
        {"\n\nprot 1\n", ":3: unknown directive 'prot'"},
        {"port 99999", ":1: port: '99999' is not a number from 1 to 65535"},
        {"port -1", ":1: port: '-1' is not a number from 1 to 65535"},
        {"port 0", ":1: port: '0' is not a number from 1 to 65535"},
        {"hash-seed zzzz",
         ":1: hash-seed: 'zzzz' is not a hexadecimal number of at most 16 digits"},
        {"hash-seed 0x1f",
         ":1: hash-seed: '0x1f' is not a hexadecimal number of at most 16 digits"},
        {"hash-seed 0123456789abcdef0",
         ":1: hash-seed: '0123456789abcdef0' is not a hexadecimal number of at most 16 digits"},
        {"tcp-keepalive 32768", ":1: tcp-keepalive: '32768' is not a number from 0 to 32767"},
        {"port x", ":1: port: 'x' is not a number from 1 to 65535"},
        {"port", ":1: port: its value is missing"},
        {"# one\nport 1 2 3", ":2: port: wants one value, not 3"},
        {"logfile \"a", ":1: unbalanced quotes"},
        {"logfile \"a\"b", ":1: unbalanced quotes"},
        {"logfile 'a\\'", ":1: unbalanced quotes"},
        {"logfile \"a\\", ":1: unbalanced quotes"},
        {"gc maybe", ":1: gc: 'maybe' is not yes or no"},
        {"loglevel loud", ":1: loglevel: 'loud' is not one of debug, verbose, notice, warning"},
        {"maxmemory-policy lru",
         ":1: maxmemory-policy: 'lru' is not one of volatile-lru, volatile-lfu, volatile-random, "
         "volatile-ttl, allkeys-lru, allkeys-lfu, allkeys-random, noeviction"},
        {"maxmemory 1tb", ":1: maxmemory: '1tb' is not a size from 0 bytes on, such as 100mb"},
        {"proto-max-bulk-len 5",
         ":1: proto-max-bulk-len: '5' is not a size from 1048576 bytes on, such as 100mb"},
        {"poll-gap-us 1001", ":1: poll-gap-us: '1001' is not a number from 0 to 1000"},
        {"gc-budget-us 9", ":1: gc-budget-us: '9' is not a number from 10 to 10000"},
        {"list-max-listpack-size -6",
         ":1: list-max-listpack-size: '-6' is not a number from -5 to 2147483647"},
        {"logfile \"a\\x00b\"", ":1: logfile: a NUL byte"},
        {"appendonly yes", ":1: appendonly: 'yes' is not 'no', the only value that heapd has"},
        {"save 3600 1", ":1: save: '3600 1' is not '', the only value that heapd has"},
        {"\"a\\nb\" 1", ":1: unknown directive 'a?b'"},
        {"\"\" 1", ":1: unknown directive ''"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct config c;
        char error[CONFIG_ERROR_BYTES], want[CONFIG_ERROR_BYTES];
        assert_false(load_text(&c, error, cases[i].text));
        snprintf(want, sizeof want, "%s%s", path, cases[i].error);
        assert_string_equal(error, want);
    }
}

static void test_config_load_file_of_any_bytes(void **state)
{
    (void)state;
    struct config c;
    char error[CONFIG_ERROR_BYTES], text[3000];
    assert_false(load_bytes(&c, error, "port 1\0 2\n", 10));
    assert_non_null(strstr(error, ":1: a NUL byte"));

    memset(text, 'x', sizeof text);
    assert_false(load_bytes(&c, error, text, sizeof text));
    assert_non_null(strstr(error, "unknown directive 'xxx"));
    memcpy(text, "logfile ", 8);
    assert_false(load_bytes(&c, error, text, sizeof text));
    assert_non_null(strstr(error, ":1: logfile: longer than 255 bytes"));
    assert_true(load_bytes(&c, error, text, 8 + 255));
    assert_int_equal(strlen(c.logfile), 255);
    memset(text, ' ', sizeof text);
    memcpy(text, "bind", 4);
    for (size_t i = 5; i < sizeof text; i += 2) text[i] = '1';
    assert_false(load_bytes(&c, error, text, sizeof text));
    assert_non_null(strstr(error, ":1: too many words"));
    memset(text + 5, 'x', 250);
    assert_false(load_bytes(&c, error, text, 300));
    assert_non_null(strstr(error, ":1: bind: longer than 255 bytes"));
}

static void test_config_load_file_that_cannot_be_read(void **state)
{
    (void)state;
    struct config c;
    char error[CONFIG_ERROR_BYTES], want[CONFIG_ERROR_BYTES], name[400];
    assert_false(LOAD("/nonexistent/x.conf"));
    assert_string_equal(error,
                        "heapd: cannot open '/nonexistent/x.conf': No such file or directory");
    assert_false(LOAD("-"));
    assert_string_equal(error, "heapd: cannot open '-': No such file or directory");
    assert_false(LOAD(folder));
    snprintf(want, sizeof want, "heapd: cannot read '%s': Is a directory", folder);
    assert_string_equal(error, want);
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_false(LOAD(name));
    assert_non_null(strstr(error, "longer than 255 bytes"));
}

static void test_config_load_command_line(void **state)
{
    (void)state;
    struct config c;
    char error[CONFIG_ERROR_BYTES];
    ASSERT_LOADED("--port", "7400", "--bind", "127.0.0.1", "::1", "--requirepass", "", "--gc",
                  "no");
    assert_int_equal(c.port, 7400);
    assert_string_equal(c.bind, "127.0.0.1 ::1");
    assert_string_equal(c.file, "");
    assert_false(c.gc);

    assert_true(load_text(&c, error, "port 1\nhttp-port 2\n"));
    ASSERT_LOADED(path, "--PORT", "3");
    assert_int_equal(c.port, 3);
    assert_int_equal(c.http_port, 2);
}

static void test_config_load_command_line_faults(void **state)
{
    (void)state;
    struct config c;
    char error[CONFIG_ERROR_BYTES];
    assert_false(LOAD("--prot", "1"));
    assert_string_equal(error, "--prot: unknown directive");
    assert_false(LOAD("--port", "99999"));
    assert_string_equal(error, "--port: '99999' is not a number from 1 to 65535");
    assert_false(LOAD("--port", "--gc", "no"));
    assert_string_equal(error, "--port: its value is missing");
    assert_false(LOAD("--port", "1", "x.conf"));
    assert_string_equal(error, "--port: wants one value, not 2");
    assert_false(LOAD("--"));
    assert_string_equal(error, "heapd: '--' is not a directive: --name value");
    assert_true(load_text(&c, error, ""));
    assert_false(LOAD(path, "other.conf"));
    assert_string_equal(error, "heapd: 'other.conf' is not a directive: --name value");
}

static void test_config_set_at_run_time(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value, *now;
    } cases[] = {
        {"timeout", "60", "60"},
        {"MaxClients", "5", "5"},
        {"maxmemory", "1mb", "1048576"},
        {"maxmemory-policy", "Volatile-TTL", "volatile-ttl"},
        {"maxmemory-policy", "noeviction", "noeviction"},
        {"maxmemory-policy", "volatile-lru", "volatile-lru"},
        {"maxmemory-samples", "10", "10"},
        {"memory-waste-percent", "0", "0"},
        {"lfu-log-factor", "0", "0"},
        {"lfu-decay-time", "0", "0"},
        {"proto-max-bulk-len", "1gb", "1073741824"},
        {"list-max-listpack-size", "-2", "-2"},
        {"set-max-listpack-value", "1kb", "1024"},
        {"maxmemory-clients", "64kb", "65536"},
        {"maxmemory-clients", "0", "0"},
        {"maxmemory-clients", "5%", "5%"},
        {"client-output-buffer-limit", "replica 1mb 2kb 3",
         "normal 0 0 0 slave 1048576 2048 3 pubsub 33554432 8388608 60"},
        {"client-output-buffer-limit", "pubsub 0 0 0 NORMAL 1 2 3",
         "normal 1 2 3 slave 1048576 2048 3 pubsub 0 0 0"},
        {"loglevel", "WARNING", "warning"},
        {"requirepass", "a b", "a b"},
        {"gc", "No", "no"},
        {"poll-gap-us", "0", "0"},
        {"gc-budget-us", "10000", "10000"},
        {"gc-threshold", "500", "500"},
        {"reply-depth-max", "1", "1"},
        {"handles-max", "10", "10"},
        {"reply-values-max", "10", "10"},
        {"reply-bytes-max", "1mb", "1048576"},
        {"tcp-keepalive", "0", "0"},
        {"save", "", ""},
        {"appendonly", "no", "no"},
    };
    struct config c;
    char error[CONFIG_ERROR_BYTES] = "untouched";
    config_init(&c);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(config_set(&c, view_of(cases[i].name), view_of(cases[i].value), error),
                         CONFIG_SET_DONE);
        if (i != 1) assert_string_equal(value_of(&c, cases[i].name), cases[i].now);
    }
    assert_int_equal(c.maxclients, 5);
    assert_string_equal(error, "untouched");
}

static void test_config_set_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value;
        enum config_set result;
        const char *error;
    } cases[] = {
        {"nosuch", "1", CONFIG_SET_UNKNOWN, ""},
        {"port", "1", CONFIG_SET_FIXED, ""},
        {"port", "99999", CONFIG_SET_FIXED, ""},
        {"bind", "::1", CONFIG_SET_FIXED, ""},
        {"hash-seed", "1", CONFIG_SET_FIXED, ""},
        {"save", "3600 1", CONFIG_SET_FIXED, ""},
        {"databases", "16", CONFIG_SET_FIXED, ""},
        {"timeout", "-1", CONFIG_SET_INVALID,
         "argument must be between 0 and 2147483647 inclusive"},
        {"timeout", "99999999999999999999", CONFIG_SET_INVALID,
         "argument couldn't be parsed into an integer"},
        {"timeout", "", CONFIG_SET_INVALID, "argument couldn't be parsed into an integer"},
        {"list-max-listpack-size", "-6", CONFIG_SET_INVALID,
         "argument must be between -5 and 2147483647 inclusive"},
        {"list-max-listpack-size", "2kb", CONFIG_SET_INVALID,
         "argument couldn't be parsed into an integer"},
        {"maxmemory", "1xb", CONFIG_SET_INVALID, "argument must be a memory value"},
        {"maxmemory", "-1", CONFIG_SET_INVALID, "argument must be a memory value"},
        {"memory-waste-percent", "101", CONFIG_SET_INVALID,
         "argument must be between 0 and 100 inclusive"},
        {"maxmemory-samples", "0", CONFIG_SET_INVALID,
         "argument must be between 1 and 2147483647 inclusive"},
        {"maxmemory-policy", "volatile-", CONFIG_SET_INVALID,
         "argument(s) must be one of the following: volatile-lru, volatile-lfu, volatile-random, "
         "volatile-ttl, allkeys-lru, allkeys-lfu, allkeys-random, noeviction"},
        {"maxmemory-policy", "", CONFIG_SET_INVALID,
         "argument(s) must be one of the following: volatile-lru, volatile-lfu, volatile-random, "
         "volatile-ttl, allkeys-lru, allkeys-lfu, allkeys-random, noeviction"},
        {"proto-max-bulk-len", "5", CONFIG_SET_INVALID,
         "argument must be between 1048576 and 9223372036854775807 inclusive"},
        {"gc", "maybe", CONFIG_SET_INVALID, "argument must be 'yes' or 'no'"},
        {"loglevel", "loud", CONFIG_SET_INVALID,
         "argument(s) must be one of the following: debug, verbose, notice, warning"},
    };
    struct config c, fresh;
    config_init(&c);
    config_init(&fresh);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char error[CONFIG_ERROR_BYTES] = "";
        assert_int_equal(config_set(&c, view_of(cases[i].name), view_of(cases[i].value), error),
                         cases[i].result);
        assert_string_equal(error, cases[i].error);
    }
    char error[CONFIG_ERROR_BYTES], longest[300];
    memset(longest, 'x', sizeof longest);
    assert_int_equal(
        config_set(&c, view_of("requirepass"), (struct view){longest, sizeof longest}, error),
        CONFIG_SET_INVALID);
    assert_string_equal(error, "argument must be at most 255 bytes long");
    assert_int_equal(config_set(&c, view_of("requirepass"), (struct view){"a\0b", 3}, error),
                     CONFIG_SET_INVALID);
    assert_string_equal(error, "argument must not contain a NUL byte");
    assert_memory_equal(&c, &fresh, sizeof c);
}

/* Whether a line of the file begins with the name. */
static bool file_names(FILE *f, const char *name)
{
    char line[1024];
    size_t n = strlen(name);
    rewind(f);
    while (fgets(line, sizeof line, f)) {
        if (strncmp(line, name, n) == 0 && line[n] == ' ') return true;
    }
    return false;
}

static void test_config_load_the_shipped_file(void **state)
{
    (void)state;
    FILE *f = fopen(HEAPD_CONF, "r");
    if (!f) skip();
    for (uint32_t i = 0; i < DIRECTIVES; i++) {
        if (!defaults[i].pinned && !file_names(f, defaults[i].name)) {
            fail_msg("%s does not explain %s", HEAPD_CONF, defaults[i].name);
        }
    }
    fclose(f);
    struct config c;
    char error[CONFIG_ERROR_BYTES];
    ASSERT_LOADED(HEAPD_CONF);
    for (uint32_t i = 0; i < DIRECTIVES; i++) {
        assert_string_equal(value_of(&c, defaults[i].name), defaults[i].value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config_init_defaults),
        cmocka_unit_test(test_config_load_nothing),
        cmocka_unit_test(test_config_load_file_form),
        cmocka_unit_test(test_config_load_file_faults),
        cmocka_unit_test(test_config_load_file_of_any_bytes),
        cmocka_unit_test(test_config_load_file_that_cannot_be_read),
        cmocka_unit_test(test_config_load_command_line),
        cmocka_unit_test(test_config_load_command_line_faults),
        cmocka_unit_test(test_config_set_at_run_time),
        cmocka_unit_test(test_config_set_refuses),
        cmocka_unit_test(test_config_load_the_shipped_file),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
