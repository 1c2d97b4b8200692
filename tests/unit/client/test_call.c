/*
 * Goal: commands get their own replies, in order, one at a time and in pipelines of any length, and
 * a failing connection gives a status and a text.
 * Method: canned dialogues, and a server that reads nothing while it writes, so that a client which
 * would only write first would wait for ever.
 */
#include "tests/unit/client/canned.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMANDS     200000
#define ANSWER_BYTES 256

static void test_connect_says_hello(void **state)
{
    (void)state;
    static const struct canned_line lines[] = {
        {"*7\r\n$5\r\nHELLO\r\n$1\r\n3\r\n$4\r\nAUTH\r\n$7\r\ndefault\r\n$2\r\npw\r\n"
         "$7\r\nSETNAME\r\n$1\r\nn\r\n",
         "%1\r\n$5\r\nproto\r\n:3\r\n"},
        {"*2\r\n$6\r\nSELECT\r\n$1\r\n5\r\n", "-ERR DB index is out of range\r\n"},
        {"*1\r\n$4\r\nPING\r\n", ">2\r\n+a\r\n+b\r\n+PONG\r\n"},
        {NULL, NULL},
    };
    struct canned server;
    canned_begin(&server, lines);
    struct heapd *h = heapd_new();
    const struct heapd_options options = {
        .port = server.port, .password = "pw", .name = "n", .db = 5};
    assert_int_equal(heapd_connect(h, &options), HEAPD_REFUSED);
    assert_string_equal(heapd_error(h), "ERR DB index is out of range");
    assert_true(heapd_connected(h));
    struct heapd_reply *reply = heapd_call(h, "PING");
    assert_string_equal(reply->text, "PONG");
    heapd_reply_free(reply);
    heapd_free(h);
    assert_int_equal(canned_end(&server), 3);
}

static void test_call_nobody_listens(void **state)
{
    (void)state;
    struct heapd *h = heapd_new();
    assert_null(heapd_call(h, "PING"));
    assert_int_equal(heapd_last_status(h), HEAPD_NO_CONNECTION);
    const struct heapd_options options = {.port = 1};
    assert_int_equal(heapd_connect(h, &options), HEAPD_NO_CONNECTION);
    assert_non_null(strstr(heapd_error(h), "127.0.0.1:1"));
    const struct heapd_options wrong = {.protocol = 4};
    assert_int_equal(heapd_connect(h, &wrong), HEAPD_INVALID);
    heapd_free(h);
}

static void test_call_server_closes_with_reason(void **state)
{
    (void)state;
    static const struct canned_line lines[] = {
        {"*1\r\n$1\r\na\r\n", "-ERR go away\r\n"},
        {NULL, NULL},
    };
    struct canned server;
    canned_begin(&server, lines);
    struct heapd *h = canned_connect(&server, 0);
    struct heapd_reply *reply = heapd_call(h, "a");
    assert_true(heapd_is_error(reply));
    heapd_reply_free(reply);
    assert_null(heapd_call(h, "a"));
    assert_int_equal(heapd_last_status(h), HEAPD_CLOSED);
    assert_null(heapd_call(h, "a"));
    assert_false(heapd_connected(h));
    heapd_free(h);
    assert_int_equal(canned_end(&server), 1);
}

static void test_call_broken_bytes(void **state)
{
    (void)state;
    static const struct canned_line lines[] = {{"*1\r\n$1\r\na\r\n", "?what\r\n"}, {NULL, NULL}};
    struct canned server;
    canned_begin(&server, lines);
    struct heapd *h = canned_connect(&server, 0);
    assert_null(heapd_call(h, "a"));
    assert_int_equal(heapd_last_status(h), HEAPD_BROKEN);
    heapd_free(h);
    canned_end(&server);
}

static void test_call_timeout(void **state)
{
    (void)state;
    struct canned server;
    canned_begin_silent(&server);
    struct heapd *h = canned_connect(&server, 50);
    assert_null(heapd_call(h, "a"));
    assert_int_equal(heapd_last_status(h), HEAPD_TIMEOUT);
    heapd_free(h);
    canned_end(&server);
}

static void test_call_many_arguments(void **state)
{
    (void)state;
    static const struct canned_line lines[] = {
        {"*20\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n$1\r\n4\r\n$1\r\n5\r\n$1\r\n6\r\n$1\r\n7\r\n"
         "$1\r\n8\r\n$1\r\n9\r\n$1\r\n0\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n$1\r\n4\r\n$1\r\n5\r\n"
         "$1\r\n6\r\n$1\r\n7\r\n$1\r\n8\r\n$1\r\n9\r\n$0\r\n\r\n",
         "*2\r\n*-1\r\n$3\r\na\nb\r\n"},
        {NULL, NULL},
    };
    struct canned server;
    canned_begin(&server, lines);
    struct heapd *h = canned_connect(&server, 0);
    struct heapd_reply *reply = heapd_call(h, "1", "2", "3", "4", "5", "6", "7", "8", "9", "0", "1",
                                           "2", "3", "4", "5", "6", "7", "8", "9", "");
    assert_int_equal(reply->n, 2);
    assert_int_equal(reply->children[0].type, HEAPD_REPLY_NULL);
    heapd_reply_free(reply);
    heapd_free(h);
    assert_int_equal(canned_end(&server), 1);
}

static void expect_number(const struct heapd_reply *reply, size_t number)
{
    char text[16];
    snprintf(text, sizeof(text), "%010zu", number);
    assert_int_equal(reply->n, ANSWER_BYTES);
    assert_memory_equal(reply->text, text, 10);
}

/* A command is one \n to that server: inline. All of them are more than the sockets' buffers hold.
 */
static void append_line(struct heapd *h)
{
    static const char line[] = "PING .......................................................\n";
    assert_int_equal(heapd_append_raw(h, line, sizeof(line) - 1), HEAPD_OK);
}

static void count_in_order(void *context, struct heapd_reply *reply)
{
    size_t *count = context;
    expect_number(reply, (*count)++);
    heapd_reply_free(reply);
}

static void test_pipeline_with_taker(void **state)
{
    (void)state;
    struct canned server;
    canned_begin_numbered(&server, ANSWER_BYTES, '\n');
    struct heapd *h = canned_connect(&server, 20000);
    size_t count = 0;
    heapd_on_reply(h, count_in_order, &count);
    for (size_t i = 0; i < COMMANDS; i++) append_line(h);
    assert_int_equal(heapd_flush(h), HEAPD_OK);
    assert_true(count > 0);
    heapd_on_reply(h, NULL, NULL);
    for (; count < COMMANDS; count++) {
        struct heapd_reply *reply;
        assert_int_equal(heapd_read(h, &reply), HEAPD_OK);
        expect_number(reply, count);
        heapd_reply_free(reply);
    }
    assert_int_equal(heapd_poll(h), HEAPD_OK);
    assert_int_equal(heapd_alive(h), HEAPD_OK);
    heapd_free(h);
    canned_end(&server);
}

static void test_pipeline_read_at_the_end(void **state)
{
    (void)state;
    struct canned server;
    canned_begin_numbered(&server, ANSWER_BYTES, '\n');
    struct heapd *h = canned_connect(&server, 20000);
    for (size_t i = 0; i < COMMANDS; i++) append_line(h);
    for (size_t i = 0; i < COMMANDS; i++) {
        struct heapd_reply *reply;
        assert_int_equal(heapd_read(h, &reply), HEAPD_OK);
        expect_number(reply, i);
        heapd_reply_free(reply);
    }
    heapd_free(h);
    canned_end(&server);
}

static void test_call_amid_a_pipeline(void **state)
{
    (void)state;
    struct canned server;
    canned_begin_numbered(&server, ANSWER_BYTES, '*');
    struct heapd *h = canned_connect(&server, 20000);
    for (size_t i = 0; i < 40; i++) assert_int_equal(heapd_append(h, "a"), HEAPD_OK);
    assert_int_equal(heapd_pending(h), 40);
    struct heapd_reply *reply = heapd_call(h, "b");
    expect_number(reply, 40);
    heapd_reply_free(reply);
    assert_int_equal(heapd_pending(h), 40);
    for (size_t i = 0; i < 40; i++) {
        assert_int_equal(heapd_read(h, &reply), HEAPD_OK);
        expect_number(reply, i);
        heapd_reply_free(reply);
    }
    assert_int_equal(heapd_pending(h), 0);
    size_t count = 41;
    assert_int_equal(heapd_append(h, "a"), HEAPD_OK);
    heapd_on_reply(h, count_in_order, &count);
    reply = heapd_call(h, "b");
    expect_number(reply, 42);
    heapd_reply_free(reply);
    assert_int_equal(count, 42);
    count++;
    assert_int_equal(heapd_append(h, "a"), HEAPD_OK);
    assert_int_equal(heapd_drain(h), HEAPD_OK);
    assert_int_equal(count, 44);
    heapd_free(h);
    canned_end(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connect_says_hello),
        cmocka_unit_test(test_call_nobody_listens),
        cmocka_unit_test(test_call_server_closes_with_reason),
        cmocka_unit_test(test_call_broken_bytes),
        cmocka_unit_test(test_call_timeout),
        cmocka_unit_test(test_call_many_arguments),
        cmocka_unit_test(test_pipeline_with_taker),
        cmocka_unit_test(test_pipeline_read_at_the_end),
        cmocka_unit_test(test_call_amid_a_pipeline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
