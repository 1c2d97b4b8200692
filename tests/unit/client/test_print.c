/*
 * Goal: replies of every type are printed as redis-cli prints them, raw as they are, and as JSON
 * without loss.
 * Method: tables of RESP and what comes of it; what redis-cli 7.0.15 prints is where they come
 * from.
 */
#include "client/heapctl/jsonify.h"
#include "client/heapctl/print.h"
#include "tests/unit/client/canned.h"

#include <stdlib.h>

struct row {
    const char *bytes, *text;
};

static char *printed(void (*print)(FILE *to, const struct heapd_reply *reply), const char *bytes)
{
    char *text = NULL;
    size_t n = 0;
    FILE *to = open_memstream(&text, &n);
    struct heapd_reply *reply = canned_reply(bytes);
    print(to, reply);
    heapd_reply_free(reply);
    fclose(to);
    return text;
}

static void compare(void (*print)(FILE *to, const struct heapd_reply *reply), const struct row *row,
                    size_t n)
{
    for (; n > 0; row++, n--) {
        char *text = printed(print, row->bytes);
        assert_string_equal(text, row->text);
        free(text);
    }
}

static void test_print_pretty(void **state)
{
    (void)state;
    static const struct row table[] = {
        {"+OK\r\n", "OK\n"},
        {"-ERR no\r\n", "(error) ERR no\n"},
        {":-7\r\n", "(integer) -7\n"},
        {"$6\r\na\"\\\n\001\377\r\n", "\"a\\\"\\\\\\n\\x01\\xff\"\n"},
        {"$3\r\n\r\t\a\r\n", "\"\\r\\t\\a\"\n"},
        {"$-1\r\n", "(nil)\n"},
        {"_\r\n", "(nil)\n"},
        {"#t\r\n", "(true)\n"},
        {"#f\r\n", "(false)\n"},
        {",1.5\r\n", "(double) 1.5\n"},
        {"(123456789012345678901234567890\r\n", "(big number) 123456789012345678901234567890\n"},
        {"=6\r\ntxt:hi\r\n", "hi\n"},
        {"=8\r\nref:#:1f\r\n", "(ref) #:1f\n"},
        {"*0\r\n", "(empty array)\n"},
        {"%0\r\n", "(empty hash)\n"},
        {"~0\r\n", "(empty set)\n"},
        {"*3\r\n:1\r\n*2\r\n:2\r\n*0\r\n:4\r\n",
         "1) (integer) 1\n2) 1) (integer) 2\n   2) (empty array)\n3) (integer) 4\n"},
        {"%2\r\n+a\r\n:1\r\n+b\r\n~1\r\n+c\r\n", "1# a => (integer) 1\n2# b => 1~ c\n"},
        {"%1\r\n+a\r\n*2\r\n:1\r\n:2\r\n", "1# a => \n   1) (integer) 1\n   2) (integer) 2\n"},
        {"%1\r\n+a\r\n*1\r\n*2\r\n:1\r\n:2\r\n",
         "1# a => \n   1) 1) (integer) 1\n      2) (integer) 2\n"},
        {"*10\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n*2\r\n:1\r\n:2\r\n",
         " 1) (integer) 1\n 2) (integer) 1\n 3) (integer) 1\n 4) (integer) 1\n 5) (integer) 1\n"
         " 6) (integer) 1\n 7) (integer) 1\n 8) (integer) 1\n 9) (integer) 1\n"
         "10) 1) (integer) 1\n    2) (integer) 2\n"},
    };
    compare(print_pretty, table, sizeof(table) / sizeof(*table));
}

static void test_print_raw(void **state)
{
    (void)state;
    static const struct row table[] = {
        {"+OK\r\n", "OK\n"},
        {"-ERR no\r\n", "ERR no\n\n"},
        {":-7\r\n", "-7\n"},
        {"$4\r\na\"\n\377\r\n", "a\"\n\377\n"},
        {"$-1\r\n", "\n"},
        {"#t\r\n", "(true)\n"},
        {",1.5\r\n", "1.5\n"},
        {"=8\r\nref:#:1f\r\n", "#:1f\n"},
        {"*0\r\n", "\n"},
        {"*3\r\n:1\r\n*2\r\n+a\r\n+b\r\n$-1\r\n", "1\na\nb\n\n"},
        {"%2\r\n+a\r\n:1\r\n+b\r\n:2\r\n", "a 1\nb 2\n"},
        {"%2\r\n+a\r\n%2\r\n+x\r\n:1\r\n+y\r\n:2\r\n+b\r\n*2\r\n+c\r\n_\r\n",
         "a {\"x\":1,\"y\":2}\nb [\"c\",null]\n"},
        {"%1\r\n*1\r\n:1\r\n+a\r\n", "[1] a\n"},
        {"*2\r\n%2\r\n+x\r\n:1\r\n+y\r\n:2\r\n*2\r\n+a\r\n%0\r\n", "{\"x\":1,\"y\":2}\na\n{}\n"},
    };
    compare(print_raw, table, sizeof(table) / sizeof(*table));
}

static void test_print_text(void **state)
{
    (void)state;
    static const struct row table[] = {
        {"$3\r\na\r\n\r\n", "a\r\n"}, {"$1\r\na\r\n", "a\n"}, {"$0\r\n\r\n", "\n"}};
    compare(print_text, table, sizeof(table) / sizeof(*table));
}

static void print_json(FILE *to, const struct heapd_reply *reply)
{
    assert_true(jsonify_print(to, reply));
}

static void test_print_json(void **state)
{
    (void)state;
    static const struct row table[] = {
        {"+OK\r\n", "\"OK\"\n"},
        {"-ERR no\r\n", "{\"error\":\"ERR no\"}\n"},
        {":-7\r\n", "-7\n"},
        {"$3\r\na\"\n\r\n", "\"a\\\"\\n\"\n"},
        {"$2\r\n\xc3\xa9\r\n", "\"\xc3\xa9\"\n"},
        {"$1\r\n\377\r\n", "{\"base64\":\"/w==\"}\n"},
        {"$2\r\n\377\376\r\n", "{\"base64\":\"//4=\"}\n"},
        {"$3\r\n\377\376a\r\n", "{\"base64\":\"//5h\"}\n"},
        {"$4\r\n\377\376ab\r\n", "{\"base64\":\"//5hYg==\"}\n"},
        {"_\r\n", "null\n"},
        {"#t\r\n", "true\n"},
        {",1.5\r\n", "1.5\n"},
        {",inf\r\n", "\"inf\"\n"},
        {"(12345678901234567890123\r\n", "\"12345678901234567890123\"\n"},
        {"=6\r\ntxt:hi\r\n", "\"hi\"\n"},
        {"=8\r\nref:#:1f\r\n", "{\"ref\":\"#:1f\"}\n"},
        {"*3\r\n:1\r\n~1\r\n+a\r\n*0\r\n", "[1,[\"a\"],[]]\n"},
        {"%2\r\n+b\r\n:1\r\n:7\r\n%0\r\n", "{\"b\":1,\"7\":{}}\n"},
        {"%2\r\n+b\r\n:1\r\n+b\r\n:2\r\n", "[[\"b\",1],[\"b\",2]]\n"},
        {"%1\r\n$1\r\n\377\r\n:1\r\n", "[[{\"base64\":\"/w==\"},1]]\n"},
        {"%1\r\n*1\r\n:1\r\n:1\r\n", "[[[1],1]]\n"},
    };
    compare(print_json, table, sizeof(table) / sizeof(*table));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_print_pretty),
        cmocka_unit_test(test_print_raw),
        cmocka_unit_test(test_print_text),
        cmocka_unit_test(test_print_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
