/*
 * Goal: the end of a scope releases what the scope took, all of it and nothing else.
 * Method: canned dialogues; a scope of many handles is counted.
 */
#include "tests/unit/client/canned.h"

#include <stdio.h>

#define REF_GET_A   "*3\r\n$3\r\nREF\r\n$3\r\nGET\r\n$1\r\na\r\n"
#define REF_GET_B   "*3\r\n$3\r\nREF\r\n$3\r\nGET\r\n$1\r\nb\r\n"
#define RELEASE_ONE "*2\r\n$7\r\nRELEASE\r\n$4\r\n&:1f\r\n"
#define RELEASE_TWO "*2\r\n$7\r\nRELEASE\r\n$3\r\n&:2\r\n"

static void test_scope_nested(void **state)
{
    (void)state;
    static const struct canned_line lines[] = {
        {REF_GET_A, "$4\r\n&:1f\r\n"},   {REF_GET_A, "$4\r\n&:1f\r\n"},
        {REF_GET_B, "$3\r\n&:2\r\n"},    {REF_GET_B, "$-1\r\n"},
        {REF_GET_B, "-NOOBJECT no\r\n"}, {REF_GET_B, "$5\r\nplain\r\n"},
        {RELEASE_TWO, ":1\r\n"}, /* the inner scope: &:1f is the outer one's */
        {RELEASE_ONE, ":1\r\n"},         {NULL, NULL},
    };
    struct canned server;
    canned_begin(&server, lines);
    struct heapd *h = canned_connect(&server, 0);
    {
        HEAPD_SCOPE(outer, h);
        const char *a = heapd_ref(&outer, "GET", "a");
        assert_string_equal(a, "&:1f");
        {
            HEAPD_SCOPE(inner, h);
            assert_ptr_equal(heapd_ref(&inner, "GET", "a"), a);
            assert_string_equal(heapd_ref(&inner, "GET", "b"), "&:2");
            assert_null(heapd_ref(&inner, "GET", "b"));
            assert_string_equal(heapd_error(h), "");
            assert_null(heapd_ref(&inner, "GET", "b"));
            assert_string_equal(heapd_error(h), "NOOBJECT no");
            assert_null(heapd_ref(&inner, "GET", "b"));
        }
    }
    heapd_free(h);
    assert_int_equal(canned_end(&server), 8);
}

static void test_scope_drop(void **state)
{
    (void)state;
    static const struct canned_line lines[] = {
        {REF_GET_A, "$4\r\n&:1f\r\n"},
        {RELEASE_ONE, ":1\r\n"},
        {REF_GET_A, "$4\r\n&:1f\r\n"},
        {RELEASE_ONE, ":1\r\n"},
        {NULL, NULL},
    };
    struct canned server;
    canned_begin(&server, lines);
    struct heapd *h = canned_connect(&server, 0);
    {
        HEAPD_SCOPE(scope, h);
        assert_false(heapd_scope_drop(&scope, "&:1f"));
        assert_true(heapd_scope_drop(&scope, heapd_ref(&scope, "GET", "a")));
        assert_false(heapd_scope_drop(&scope, "&:1f"));
        assert_non_null(heapd_ref(&scope, "GET", "a"));
    }
    heapd_free(h);
    assert_int_equal(canned_end(&server), 4);
}

/* One RELEASE for all. */
static void test_scope_of_many(void **state)
{
    (void)state;
    static const struct canned_line lines[] = {
        {"*5001\r\n$7\r\nRELEASE\r\n", ":5000\r\n"},
        {NULL, NULL},
    };
    struct canned server;
    canned_begin(&server, lines);
    struct heapd *h = canned_connect(&server, 0);
    {
        HEAPD_SCOPE(scope, h);
        for (int i = 0; i < 10000; i++) {
            char bytes[40], handle[16];
            int n = snprintf(handle, sizeof(handle), "&:%x", (unsigned)i / 2 + 1);
            snprintf(bytes, sizeof(bytes), "$%d\r\n%s\r\n", n, handle);
            struct heapd_reply *reply = canned_reply(bytes);
            assert_string_equal(heapd_scope_take(&scope, reply), handle);
            heapd_reply_free(reply);
        }
    }
    heapd_free(h);
    assert_int_equal(canned_end(&server), 1);
}

static void test_scope_outlives_its_connection(void **state)
{
    (void)state;
    static const struct canned_line lines[] = {{REF_GET_A, "$4\r\n&:1f\r\n"}, {NULL, NULL}};
    static const struct canned_line nothing[] = {{NULL, NULL}};
    struct canned server;
    canned_begin(&server, lines);
    struct heapd *h = canned_connect(&server, 0);
    {
        HEAPD_SCOPE(scope, h);
        assert_non_null(heapd_ref(&scope, "GET", "a"));
        heapd_close(h);
        canned_end(&server);
        /* Another connection knows nothing of the handle: it must not be released there. */
        canned_begin(&server, nothing);
        const struct heapd_options options = {.port = server.port, .protocol = 2};
        assert_int_equal(heapd_connect(h, &options), HEAPD_OK);
    }
    assert_true(heapd_connected(h));
    heapd_free(h);
    canned_end(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scope_nested),
        cmocka_unit_test(test_scope_drop),
        cmocka_unit_test(test_scope_of_many),
        cmocka_unit_test(test_scope_outlives_its_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
