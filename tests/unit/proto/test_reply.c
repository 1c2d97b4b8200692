/*
 * Goal: replies of every type come out the same however the bytes are cut, as events and as trees;
 * broken and oversized ones are refused. Method: tables of input and a printed form of the tree,
 * fed at every cut; seeded random bytes. test_reply_bounds.c has depth and memory.
 */
#include "cmocka_all.h"
#include "proto/reply.h"
#include "proto/writer.h"
#include "random.h"
#include "read_one.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define PRINTED_MAX 65536

static const struct reply_limits SMALL = {
    .bulk_bytes_max = 100, .line_bytes_max = 60, .children_max = 40};

/* One letter a type, in the order of enum heapd_reply_type. */
static const char LETTERS[] = "+-:$*_#,(=%~>|";

static void append(char *to, const char *text)
{
    size_t n = strlen(to), more = strlen(text);
    assert_true(n + more < PRINTED_MAX);
    memmove(to + n, text, more + 1);
}

static void print_scalar(char *to, enum heapd_reply_type type, const char *text, size_t n,
                         int64_t integer)
{
    char part[200];
    if (type == HEAPD_REPLY_INTEGER || type == HEAPD_REPLY_BOOL)
        snprintf(part, sizeof(part), "%" PRId64, integer);
    else
        snprintf(part, sizeof(part), "%.*s", (int)n, text == NULL ? "" : text);
    append(to, part);
}

static void print_head(char *to, enum heapd_reply_type type, const char *format)
{
    char part[10] = {LETTERS[type]};
    strcat(part, format);
    append(to, part);
}

/* The tests' trees are shallow: only the reader has to do without recursion. */
static void print_tree(char *to, const struct heapd_reply *reply)
{
    if (reply->attributes != NULL) print_tree(to, reply->attributes);
    print_head(to, reply->type, reply->format);
    bool container = strchr("*%~>|", LETTERS[reply->type]) != NULL;
    if (!container) {
        print_scalar(to, reply->type, reply->text, reply->n, reply->integer);
        append(to, ";");
        return;
    }
    append(to, "(");
    for (size_t i = 0; i < heapd_reply_children(reply); i++) print_tree(to, &reply->children[i]);
    append(to, ")");
}

/* Prints like print_tree, from events: closes what has ended by what is still open. */
static void print_event(char *to, const struct reply_event *event, size_t *open, uint32_t *depth)
{
    print_head(to, event->type, event->format);
    bool pairs = event->type == HEAPD_REPLY_MAP || event->type == HEAPD_REPLY_ATTRIBUTE;
    bool container = strchr("*%~>|", LETTERS[event->type]) != NULL;
    if (container) {
        append(to, "(");
        size_t n = pairs ? 2 * event->n : event->n;
        assert_int_equal(event->depth, *depth);
        open[(*depth)++] = event->type == HEAPD_REPLY_ATTRIBUTE ? n | (size_t)1 << 40 : n;
    } else {
        print_scalar(to, event->type, event->text, event->n, event->integer);
        append(to, ";");
        if (*depth > 0) open[*depth - 1]--;
    }
    while (*depth > 0 && (open[*depth - 1] & 0xffffffff) == 0) {
        append(to, ")");
        bool attribute = open[*depth - 1] != 0;
        (*depth)--;
        if (*depth > 0 && !attribute) open[*depth - 1]--;
    }
}

/* A session that takes either trees or events. */
struct session {
    struct reply_reader r;
    bool events;
    size_t open[16];
    uint32_t depth;
    char printed[PRINTED_MAX];
};

static enum reply_status take(struct session *s)
{
    for (;;) {
        enum reply_status status;
        if (s->events) {
            struct reply_event event;
            status = reply_reader_event(&s->r, &event);
            if (status == REPLY_READY) print_event(s->printed, &event, s->open, &s->depth);
            if (status == REPLY_READY && event.last) append(s->printed, "!");
        } else {
            struct heapd_reply *reply;
            status = reply_reader_next(&s->r, &reply);
            if (status == REPLY_READY) {
                print_tree(s->printed, reply);
                append(s->printed, "!");
                heapd_reply_free(reply);
            }
        }
        assert_int_equal(reply_reader_check(&s->r), 0);
        if (status != REPLY_READY) return status;
    }
}

static enum reply_status feed(struct session *s, const char *p, size_t n)
{
    enum reply_status status = reply_reader_feed(&s->r, p, n);
    return status == REPLY_READY ? take(s) : status;
}

/* The printed form of n bytes cut at `cut`, or everywhere when cut is SIZE_MAX. */
static const char *printed(const char *bytes, size_t n, size_t cut, bool events)
{
    static struct session s;
    memset(&s, 0, sizeof(s));
    s.events = events;
    reply_reader_init(&s.r, &SMALL);
    enum reply_status status = REPLY_MORE;
    if (cut != SIZE_MAX) {
        status = feed(&s, bytes, cut);
        if (status == REPLY_MORE) status = feed(&s, bytes + cut, n - cut);
    } else {
        for (size_t i = 0; i < n && status == REPLY_MORE; i++) status = feed(&s, bytes + i, 1);
    }
    if (status == REPLY_BROKEN) {
        /* Trees that were not finished are not printed; events were. */
        if (events) s.printed[0] = '\0';
        append(s.printed, s.r.error);
        assert_int_equal(reply_reader_feed(&s.r, "+OK\r\n", 5), REPLY_BROKEN);
    }
    reply_reader_fini(&s.r);
    return s.printed;
}

struct row {
    const char *bytes;
    size_t n;
    const char *printed;
};

#define ROW(bytes, printed)                                                                        \
    {                                                                                              \
        bytes, sizeof(bytes) - 1, printed                                                          \
    }

static void check_row(const struct row *row)
{
    for (int events = 0; events < 2; events++) {
        assert_string_equal(printed(row->bytes, row->n, SIZE_MAX, events), row->printed);
        for (size_t cut = 0; cut <= row->n; cut++)
            assert_string_equal(printed(row->bytes, row->n, cut, events), row->printed);
    }
}

static void test_next_scalars(void **state)
{
    (void)state;
    static const struct row ROWS[] = {
        ROW("+OK\r\n", "+OK;!"),
        ROW("+\r\n", "+;!"),
        ROW("-ERR no\r\n", "-ERR no;!"),
        ROW(":0\r\n:-5\r\n:+7\r\n:9223372036854775807\r\n", ":0;!:-5;!:7;!:9223372036854775807;!"),
        ROW("$5\r\nhello\r\n$0\r\n\r\n$2\r\n\r\n\r\n", "$hello;!$;!$\r\n;!"),
        ROW("$-1\r\n*-1\r\n_\r\n", "_;!_;!_;!"),
        ROW("#t\r\n#f\r\n", "#1;!#0;!"),
        ROW(",1.5\r\n,-inf\r\n,nan\r\n,10\r\n,1e5\r\n", ",1.5;!,-inf;!,nan;!,10;!,1e5;!"),
        ROW("(-123456789012345678901234567890\r\n", "(-123456789012345678901234567890;!"),
        ROW("!8\r\nERR a\r\nb\r\n", "-ERR a\r\nb;!"),
        ROW("=8\r\ntxt:abcd\r\n=4\r\nmkd:\r\n", "=txtabcd;!=mkd;!"),
    };
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) check_row(&ROWS[i]);
}

static void test_next_containers(void **state)
{
    (void)state;
    static const struct row ROWS[] = {
        ROW("*0\r\n%0\r\n~0\r\n>0\r\n", "*()!%()!~()!>()!"),
        ROW("*2\r\n$1\r\na\r\n:1\r\n+x\r\n", "*($a;:1;)!+x;!"),
        ROW("%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n_\r\n", "%(+a;:1;+b;*(_;))!"),
        ROW("*2\r\n*0\r\n*1\r\n*0\r\n", "*(*()*(*()))!"),
        ROW("*3\r\n~2\r\n:1\r\n:2\r\n%1\r\n*1\r\n:3\r\n:4\r\n:5\r\n",
            "*(~(:1;:2;)%(*(:3;):4;):5;)!"),
        ROW(">2\r\n+message\r\n+hi\r\n+OK\r\n", ">(+message;+hi;)!+OK;!"),
        ROW("*5\r\n:1\r\n:2\r\n:3\r\n:4\r\n:5\r\n", "*(:1;:2;:3;:4;:5;)!"),
        ROW("*2\r\n:1\r\n", "*(:1;"),
    };
    for (size_t i = 0; i + 1 < sizeof(ROWS) / sizeof(ROWS[0]); i++) check_row(&ROWS[i]);
    /* The last is unfinished: events tell what there is of it, trees do not. */
    const struct row *last = &ROWS[sizeof(ROWS) / sizeof(ROWS[0]) - 1];
    assert_string_equal(printed(last->bytes, last->n, last->n, true), last->printed);
    assert_string_equal(printed(last->bytes, last->n, last->n, false), "");
}

static void test_next_attributes(void **state)
{
    (void)state;
    static const struct row ROWS[] = {
        ROW("|1\r\n+ttl\r\n:3\r\n$1\r\na\r\n", "|(+ttl;:3;)$a;!"),
        ROW("*2\r\n|1\r\n+k\r\n*2\r\n:1\r\n:2\r\n:8\r\n|1\r\n+l\r\n:0\r\n*1\r\n:9\r\n",
            "*(|(+k;*(:1;:2;)):8;|(+l;:0;)*(:9;))!"),
        /* An attribute of a key, of a value, and of an item of an attribute. */
        ROW("%1\r\n|1\r\n+a\r\n+b\r\n+k\r\n|1\r\n+c\r\n|1\r\n+d\r\n+e\r\n+f\r\n+v\r\n",
            "%(|(+a;+b;)+k;|(+c;|(+d;+e;)+f;)+v;)!"),
    };
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) check_row(&ROWS[i]);
    /* Two in succession become one in a tree; one without pairs leaves no trace. */
    static const char TWO[] = "|1\r\n+a\r\n:1\r\n|0\r\n|2\r\n+b\r\n:2\r\n+c\r\n:3\r\n+OK\r\n";
    assert_string_equal(printed(TWO, sizeof(TWO) - 1, SIZE_MAX, false),
                        "|(+a;:1;+b;:2;+c;:3;)+OK;!");
    assert_string_equal(printed("|0\r\n+OK\r\n", 9, SIZE_MAX, false), "+OK;!");
}

static void test_next_broken(void **state)
{
    (void)state;
    static const struct row ROWS[] = {
        ROW("x\r\n", "unknown reply type 'x'"),
        ROW("\r\n", "unknown reply type 0x0d"),
        ROW("\xff", "unknown reply type 0xff"),
        ROW("$?\r\n", "streamed RESP3 types are not supported"),
        ROW("*?\r\n", "streamed RESP3 types are not supported"),
        ROW("%?", "streamed RESP3 types are not supported"),
        ROW(";4\r\n", "streamed RESP3 types are not supported"),
        ROW(".\r\n", "streamed RESP3 types are not supported"),
        ROW(":\r\n", "not a number"),
        ROW(":1x\r\n", "not a number"),
        ROW(":+\r\n", "not a number"),
        ROW(":+-5\r\n", "not a number"),
        ROW("$+5\r\n", "not a number"),
        ROW(":9223372036854775808\r\n", "not a number"),
        ROW("$-2\r\n", "a negative length"),
        ROW("%-1\r\n", "a negative length"),
        ROW("=-1\r\n", "a negative length"),
        ROW("$101\r\n", "a bulk is too long"),
        ROW("*41\r\n", "too many children"),
        ROW("%41\r\n", "too many children"),
        ROW("$1\r\nabc", "a bulk does not end with \\r\\n"),
        ROW("+a\rb", "\\r without \\n in a line"),
        ROW(":1\rb", "\\r without \\n in a line"),
        ROW("#x\r\n", "not a boolean"),
        ROW("#tt\r\n", "not a boolean"),
        ROW("_x\r\n", "a null with text"),
        ROW(",\r\n", "not a double"),
        ROW(",1,5\r\n", "not a double"),
        ROW(",0x10\r\n", "not a double"),
        ROW(", 1\r\n", "not a double"),
        ROW(",1e\r\n", "not a double"),
        ROW(",infinity\r\n", "not a double"),
        ROW("(\r\n", "not a big number"),
        ROW("(-\r\n", "not a big number"),
        ROW("(12a\r\n", "not a big number"),
        ROW("=3\r\nabc\r\n", "a verbatim string without its format"),
        ROW("=5\r\nabcde\r\n", "a verbatim string without its format"),
        ROW("*2\r\n+a\r\n%1\r\n|1\r\n+b\r\n+c\r\n$x\r\n", "not a number"),
        ROW("+xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "a line is too long"),
        ROW("$1111111111111111111111111111111111111111111111111111111111111", "a line is too long"),
    };
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) check_row(&ROWS[i]);
}

static void test_next_doubles(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        double value;
    } ROWS[] = {
        {",1.5\r\n", 1.5},        {",-0.25\r\n", -0.25}, {",10\r\n", 10},
        {",1e300\r\n", 1e300},    {",.5\r\n", 0.5},      {",inf\r\n", INFINITY},
        {",-INF\r\n", -INFINITY}, {",+3\r\n", 3},        {",5e-324\r\n", 5e-324},
    };
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        struct heapd_reply *reply = read_one(ROWS[i].bytes, strlen(ROWS[i].bytes));
        assert_int_equal(reply->type, HEAPD_REPLY_DOUBLE);
        assert_true(memcmp(&reply->number, &ROWS[i].value, sizeof(double)) == 0);
        heapd_reply_free(reply);
    }
    struct heapd_reply *reply = read_one(",nan\r\n", 6);
    assert_true(isnan(reply->number));
    heapd_reply_free(reply);
}

static void test_next_text_ends_with_nul(void **state)
{
    (void)state;
    struct heapd_reply *reply = read_one("$3\r\na\0b\r\n", 9);
    assert_int_equal(reply->n, 3);
    assert_memory_equal(reply->text, "a\0b", 4);
    heapd_reply_free(reply);
    reply = read_one("$0\r\n\r\n", 6);
    assert_string_equal(reply->text, "");
    heapd_reply_free(reply);
    reply = read_one("_\r\n", 3);
    assert_null(reply->text);
    heapd_reply_free(reply);
    heapd_reply_free(NULL);
}

static void test_next_random_bytes(void **state)
{
    (void)state;
    static const char LETTERS_USED[] = "+-:$*_#,(!=%~>|12013tf.a\r\n";
    uint64_t seed = 0x2545f4914f6cdd1d;
    static char whole[PRINTED_MAX];
    for (int round = 0; round < 20000; round++) {
        char bytes[120];
        size_t n = 0;
        size_t parts = random_below(&seed, 16);
        for (size_t i = 0; i < parts; i++) {
            /* Mostly a type, a digit and an end of line, so that trees come about. */
            bytes[n++] = LETTERS_USED[random_below(&seed, sizeof(LETTERS_USED) - 1)];
            bytes[n++] = (char)('0' + random_below(&seed, 4));
            if (random_below(&seed, 20) == 0) bytes[n++] = (char)random_below(&seed, 256);
            bytes[n++] = '\r';
            bytes[n++] = '\n';
        }
        strcpy(whole, printed(bytes, n, n, false));
        assert_string_equal(printed(bytes, n, random_below(&seed, n + 1), false), whole);
        assert_string_equal(printed(bytes, n, SIZE_MAX, false), whole);
    }
}

static void test_next_reads_what_the_writer_wrote(void **state)
{
    (void)state;
    struct proto_buf buf;
    proto_buf_init(&buf);
    proto_put_array(&buf, 16);
    proto_put_integer(&buf, INT64_MIN);
    proto_put_bulk(&buf, "a\r\nb", 4);
    proto_put_bulk_integer(&buf, 42);
    proto_put_simple(&buf, "simple", 6);
    proto_put_error(&buf, "ERR x", 5);
    proto_buf_append(&buf, "!5\r\nERR y\r\n", 11);
    proto_put_null(&buf);
    proto_put_null_bulk(&buf);
    proto_put_null_array(&buf);
    proto_put_bool(&buf, true);
    proto_put_double(&buf, "2.5", 3);
    proto_buf_append(&buf, "(99\r\n", 5);
    proto_put_verbatim(&buf, "mkd", "*x*", 3);
    proto_put_map(&buf, 1);
    proto_put_ok(&buf);
    proto_put_set(&buf, 0);
    proto_put_push(&buf, 1);
    proto_put_bool(&buf, false);
    proto_put_attribute(&buf, 1);
    proto_put_ok(&buf);
    proto_put_null(&buf);
    proto_put_integer(&buf, 0);
    assert_string_equal(
        printed(buf.p, buf.n, SIZE_MAX, false),
        "*(:-9223372036854775808;$a\r\nb;$42;+simple;-ERR x;-ERR y;_;_;_;#1;,2.5;(99;"
        "=mkd*x*;%(+OK;~())>(#0;)|(+OK;_;):0;)!");
    proto_buf_fini(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_next_scalars),
        cmocka_unit_test(test_next_containers),
        cmocka_unit_test(test_next_attributes),
        cmocka_unit_test(test_next_broken),
        cmocka_unit_test(test_next_doubles),
        cmocka_unit_test(test_next_text_ends_with_nul),
        cmocka_unit_test(test_next_random_bytes),
        cmocka_unit_test(test_next_reads_what_the_writer_wrote),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
