/*
 * Goal: COMMAND DOCS of heapd and of Redis, RESP2 and RESP3, give the same help, completion and
 * hints. Method: small answers of each kind.
 */
#include "client/heapctl/complete.h"
#include "client/heapctl/docs.h"
#include "tests/unit/client/canned.h"

#include <stdlib.h>
#include <string.h>

static const char heapd_docs[] = "%5\r\n"
                                 "+config\r\n%2\r\n+summary\r\n+Settings\r\n+subcommands\r\n%2\r\n"
                                 "+config|set\r\n%1\r\n+syntax\r\n+name value [name value ...]\r\n"
                                 "+config|get\r\n%1\r\n+syntax\r\n+pattern\r\n"
                                 "+copy\r\n%1\r\n+syntax\r\n+source destination [REPLACE]\r\n"
                                 "+get\r\n%2\r\n+syntax\r\n+key\r\n+group\r\n+string\r\n"
                                 "+ref\r\n%2\r\n+syntax\r\n+command [arg ...]\r\n"
                                 "+subcommands\r\n%1\r\n"
                                 "+ref|new\r\n%1\r\n+syntax\r\n+<list | hash>\r\n"
                                 "+weakref\r\n%1\r\n+syntax\r\n+command [arg ...]\r\n";

/* As Redis writes it in RESP2: flat arrays, and the arguments as a tree. */
static const char redis_docs[] =
    "*2\r\n+set\r\n*2\r\n+arguments\r\n*4\r\n"
    "*4\r\n+name\r\n+key\r\n+type\r\n+key\r\n"
    "*6\r\n+name\r\n+value\r\n+type\r\n+string\r\n+flags\r\n*1\r\n+multiple\r\n"
    "*8\r\n+name\r\n+c\r\n+type\r\n+oneof\r\n+flags\r\n*1\r\n+optional\r\n+arguments\r\n*2\r\n"
    "*6\r\n+name\r\n+nx\r\n+type\r\n+pure-token\r\n+token\r\n+NX\r\n"
    "*6\r\n+name\r\n+s\r\n+type\r\n+integer\r\n+token\r\n+EX\r\n"
    "*6\r\n+name\r\n+d\r\n+type\r\n+oneof\r\n+arguments\r\n*2\r\n"
    "*4\r\n+name\r\n+x\r\n+type\r\n+string\r\n"
    "*4\r\n+name\r\n+y\r\n+type\r\n+string\r\n";

static void load(struct docs *docs, const char *bytes)
{
    struct heapd_reply *reply = canned_reply(bytes);
    assert_true(docs_init(docs, reply));
    heapd_reply_free(reply);
}

static void hint(const struct docs *docs, const char *line, const char *expected)
{
    char text[128];
    complete_hint(docs, line, strlen(line), text, sizeof(text));
    assert_string_equal(text, expected);
}

static void test_docs_hints(void **state)
{
    (void)state;
    struct docs docs;
    load(&docs, heapd_docs);
    hint(&docs, "", "");
    hint(&docs, "nothing", "");
    hint(&docs, "get", "key");
    hint(&docs, "get ", "key");
    hint(&docs, "get a", "key");
    hint(&docs, "get a ", "");
    hint(&docs, "COPY a ", "destination [REPLACE]");
    hint(&docs, "copy a b ", "[REPLACE]");
    hint(&docs, "copy a b c ", "[REPLACE]");
    hint(&docs, "config set ", "name value [name value ...]");
    hint(&docs, "config set a", "name value [name value ...]");
    hint(&docs, "ref get ", "key");
    hint(&docs, "ref get a ", "");
    hint(&docs, "ref new ", "<list | hash>");
    hint(&docs, "ref", "command [arg ...]");
    hint(&docs, "ref ", "command [arg ...]");
    hint(&docs, "ref ge", "command [arg ...]");
    hint(&docs, "ref nothing ", "[arg ...]");
    hint(&docs, "ref config set ", "name value [name value ...]");
    hint(&docs, "weakref ", "command [arg ...]");
    hint(&docs, "WEAKREF get ", "key");
    hint(&docs, "weakref new ", "[arg ...]");
    hint(&docs, "get \"a", "");
    docs_fini(&docs);
}

static void test_docs_of_redis(void **state)
{
    (void)state;
    struct docs docs;
    load(&docs, redis_docs);
    hint(&docs, "set ", "key value [value ...] [NX | EX s] <x | y>");
    docs_fini(&docs);
}

static void test_docs_init_other_answers(void **state)
{
    (void)state;
    static const char *const table[] = {":1\r\n", "*2\r\n:1\r\n*0\r\n", "$-1\r\n"};
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
        struct docs docs;
        struct heapd_reply *reply = canned_reply(table[i]);
        assert_false(docs_init(&docs, reply));
        assert_int_equal(docs.count, 0);
        heapd_reply_free(reply);
    }
}

/* The words that TAB finds, with | behind each. */
static void completes(const struct docs *docs, const char *line, const char *expected,
                      const char *common)
{
    struct complete c;
    char joined[128] = "";
    assert_true(complete_init(&c, docs, line, strlen(line)));
    for (size_t i = 0; i < c.count; i++) {
        strcat(joined, c.words[i]);
        strcat(joined, "|");
    }
    assert_string_equal(joined, expected);
    assert_string_equal(c.common, common);
    complete_fini(&c);
}

static void test_docs_complete(void **state)
{
    (void)state;
    struct docs docs;
    load(&docs, heapd_docs);
    completes(&docs, "", "CONFIG|COPY|GET|REF|WEAKREF|", "");
    completes(&docs, "c", "config|copy|", "co");
    completes(&docs, "CON", "CONFIG|", "CONFIG");
    completes(&docs, "x", "", "");
    completes(&docs, "config ", "get|set|", "");
    completes(&docs, "CONFIG ", "GET|SET|", "");
    completes(&docs, "config s", "set|", "set");
    completes(&docs, "get ", "", "");
    completes(&docs, "ref ", "config|copy|get|ref|new|weakref|", "");
    completes(&docs, "ref ge", "get|", "get");
    completes(&docs, "ref n", "new|", "new");
    completes(&docs, "weakref ge", "get|", "get");
    completes(&docs, "weakref config g", "get|", "get");
    completes(&docs, "ref config g", "get|", "get");
    completes(&docs, "a b c d", "", "");
    docs_fini(&docs);
    struct complete c;
    assert_false(complete_init(&c, &docs, "\"", 1));
}

static void test_complete_print_columns(void **state)
{
    (void)state;
    struct docs docs;
    struct complete c;
    char *text = NULL;
    size_t n = 0;
    load(&docs, heapd_docs);
    assert_true(complete_init(&c, &docs, "", 0));
    FILE *to = open_memstream(&text, &n);
    complete_print(to, &c, 18);
    fclose(to);
    assert_string_equal(text, "CONFIG   REF\nCOPY     WEAKREF\nGET\n");
    free(text);
    complete_fini(&c);
    docs_fini(&docs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_docs_hints),
        cmocka_unit_test(test_docs_of_redis),
        cmocka_unit_test(test_docs_init_other_answers),
        cmocka_unit_test(test_docs_complete),
        cmocka_unit_test(test_complete_print_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
