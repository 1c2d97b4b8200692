/*
 * Goal: a walk sends a batch only when the one before it was used up, carries its options each
 * time, and ends where the server says, or with a status. Method: canned dialogues.
 */
#include "tests/unit/client/canned.h"

static void test_scan_batches_are_lazy(void **state)
{
    (void)state;
    static const struct canned_line lines[] = {
        {"*8\r\n$4\r\nSCAN\r\n$1\r\n0\r\n$5\r\nMATCH\r\n$2\r\na*\r\n$5\r\nCOUNT\r\n$1\r\n2\r\n"
         "$4\r\nTYPE\r\n$4\r\nhash\r\n",
         "*2\r\n$2\r\n17\r\n*2\r\n$2\r\na1\r\n$2\r\na2\r\n"},
        {"*1\r\n$4\r\nPING\r\n", "+PONG\r\n"},
        {"*8\r\n$4\r\nSCAN\r\n$2\r\n17\r\n$5\r\nMATCH\r\n$2\r\na*\r\n$5\r\nCOUNT\r\n$1\r\n2\r\n"
         "$4\r\nTYPE\r\n$4\r\nhash\r\n",
         "*2\r\n$2\r\n99\r\n*0\r\n"},
        {"*8\r\n$4\r\nSCAN\r\n$2\r\n99\r\n$5\r\nMATCH\r\n$2\r\na*\r\n$5\r\nCOUNT\r\n$1\r\n2\r\n"
         "$4\r\nTYPE\r\n$4\r\nhash\r\n",
         "*2\r\n$1\r\n0\r\n*1\r\n$2\r\na3\r\n"},
        {NULL, NULL},
    };
    struct canned server;
    canned_begin(&server, lines);
    struct heapd *h = canned_connect(&server, 0);
    struct heapd_scan scan;
    struct heapd_scan_item item;
    const struct heapd_scan_options options = {.match = {"a*", 2}, .count = 2, .type = "hash"};
    heapd_scan_init(&scan, h, &options);
    assert_true(heapd_scan_next(&scan, &item));
    assert_string_equal(item.key->text, "a1");
    assert_null(item.value);
    assert_true(heapd_scan_next(&scan, &item));
    assert_string_equal(item.key->text, "a2");
    /* Another command between two batches: the second was not asked for yet. */
    heapd_reply_free(heapd_call(h, "PING"));
    assert_true(heapd_scan_next(&scan, &item));
    assert_string_equal(item.key->text, "a3");
    assert_false(heapd_scan_next(&scan, &item));
    assert_false(heapd_scan_next(&scan, &item));
    assert_int_equal(scan.status, HEAPD_OK);
    heapd_scan_fini(&scan);
    heapd_free(h);
    assert_int_equal(canned_end(&server), 4);
}

static void test_scan_pairs_by_reference(void **state)
{
    (void)state;
    static const struct canned_line lines[] = {
        {"*4\r\n$3\r\nREF\r\n$5\r\nhscan\r\n$1\r\nk\r\n$1\r\n0\r\n",
         "*2\r\n$1\r\n0\r\n*4\r\n$1\r\nf\r\n$4\r\n&:1f\r\n$1\r\ng\r\n$3\r\n&:2\r\n"},
        {NULL, NULL},
    };
    struct canned server;
    canned_begin(&server, lines);
    struct heapd *h = canned_connect(&server, 0);
    struct heapd_scan scan;
    struct heapd_scan_item item;
    const struct heapd_scan_options options = {
        .command = "hscan", .key = {"k", 1}, .by_reference = true};
    heapd_scan_init(&scan, h, &options);
    assert_true(heapd_scan_next(&scan, &item));
    assert_string_equal(item.key->text, "f");
    assert_string_equal(item.value->text, "&:1f");
    assert_true(heapd_scan_next(&scan, &item));
    assert_string_equal(item.value->text, "&:2");
    assert_false(heapd_scan_next(&scan, &item));
    heapd_scan_fini(&scan);
    heapd_free(h);
    assert_int_equal(canned_end(&server), 1);
}

/* The status of a walk whose first answer is this. */
static enum heapd_status ends_with(const char *answer)
{
    const struct canned_line lines[] = {
        {"*3\r\n$5\r\nZSCAN\r\n$1\r\nk\r\n$1\r\n0\r\n", answer},
        {NULL, NULL},
    };
    struct canned server;
    canned_begin(&server, lines);
    struct heapd *h = canned_connect(&server, 0);
    struct heapd_scan scan;
    struct heapd_scan_item item;
    const struct heapd_scan_options options = {.command = "ZSCAN", .key = {"k", 1}};
    heapd_scan_init(&scan, h, &options);
    assert_false(heapd_scan_next(&scan, &item));
    enum heapd_status status = scan.status;
    heapd_scan_fini(&scan);
    heapd_free(h);
    canned_end(&server);
    return status;
}

static void test_scan_ends_early(void **state)
{
    (void)state;
    assert_int_equal(ends_with("-WRONGTYPE no\r\n"), HEAPD_REFUSED);
    assert_int_equal(ends_with("+OK\r\n"), HEAPD_BROKEN);
    assert_int_equal(ends_with("*2\r\n$1\r\n0\r\n+OK\r\n"), HEAPD_BROKEN);
    assert_int_equal(ends_with("*2\r\n$1\r\n0\r\n*1\r\n+odd\r\n"), HEAPD_BROKEN);
    assert_int_equal(ends_with("*2\r\n$-1\r\n*0\r\n"), HEAPD_BROKEN);
    assert_int_equal(ends_with("*2\r\n$1\r\n0\r\n*2\r\n"), HEAPD_CLOSED);
    assert_int_equal(ends_with("*2\r\n$1\r\n0\r\n*0\r\n"), HEAPD_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scan_batches_are_lazy),
        cmocka_unit_test(test_scan_pairs_by_reference),
        cmocka_unit_test(test_scan_ends_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
