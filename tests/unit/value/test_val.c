/*
 * Goal: every text has one form, and what asks about values agrees on it.
 * Method: a table of texts at the boundaries (61 and 64 bits, 7 and 8 bytes, what looks like a
 * number and is none), each made, read back, hashed, looked for and compared with every other; then
 * interning, and memory that fails.
 */
#include "containers.h"

#include "value/str.h"

enum form { SMALL, SHORT, NUMBER, STRING };

static const struct text {
    const char *text;
    enum form form;
} texts[] = {
    {"", SHORT},
    {"0", SMALL},
    {"-1", SMALL},
    {"7", SMALL},
    {"-0", SHORT},
    {"00", SHORT},
    {"007", SHORT},
    {"+7", SHORT},
    {"7 ", SHORT},
    {" 7", SHORT},
    {"-", SHORT},
    {"--1", SHORT},
    {"-01", SHORT},
    {"1.0", SHORT},
    {"1e3", SHORT},
    {"0x10", SHORT},
    {"abcdef", SHORT},
    {"abcdefg", SHORT},
    {"abcdefgh", STRING},
    {"abcdefgi", STRING},
    {"00000000", STRING},
    {"-0000000", STRING},
    {"1234567", SMALL},
    {"12345678", SMALL},
    {"0123456", SHORT},
    {"01234567", STRING},
    {"1152921504606846975", SMALL},   /* 2^60 - 1 */
    {"1152921504606846976", NUMBER},  /* 2^60 */
    {"-1152921504606846976", SMALL},  /* -2^60 */
    {"-1152921504606846977", NUMBER}, /* -2^60 - 1 */
    {"9223372036854775807", NUMBER},
    {"-9223372036854775808", NUMBER},
    {"9223372036854775808", STRING},
    {"-9223372036854775809", STRING},
    {"09223372036854775807", STRING},
    {"18446744073709551616", STRING},
    {"a text of a few more bytes than seven", STRING},
};

enum { TEXTS = sizeof texts / sizeof *texts };

static val make(struct world *w, const char *text)
{
    val v = VAL_NONE;
    assert_int_equal(val_of_text(&w->heap, view_of(text), &v), STATUS_OK);
    return v;
}

static enum form form_of(val v)
{
    if (val_is_int(v)) return SMALL;
    if (!val_is_obj(v)) return SHORT;
    return val_obj(v)->type == OBJ_NUMBER ? NUMBER : STRING;
}

static void test_val_of_text_gives_each_text_its_one_form(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w, 1);
    for (int i = 0; i < TEXTS; i++) {
        char scratch[VAL_TEXT_CHARS];
        val v = make(&w, texts[i].text);
        assert_int_equal(form_of(v), texts[i].form);
        assert_true(view_eq(val_text(&v, scratch), view_of(texts[i].text)));
        assert_int_equal(val_text_bytes(v), strlen(texts[i].text));
        assert_int_equal(val_type(v), OBJ_STRING);
        assert_true(val_is_string(v));
        assert_false(val_is_container(v));
        val_release(&w.heap, v);
    }
    world_end(&w);
}

static void test_val_get_integer_knows_canonical_integers_only(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w, 2);
    for (int i = 0; i < TEXTS; i++) {
        char scratch[NUM_INTEGER_CHARS];
        int64_t n = 0;
        val v = make(&w, texts[i].text), again;
        bool integer = texts[i].form == SMALL || texts[i].form == NUMBER;
        assert_int_equal(val_get_integer(v, &n), integer);
        if (integer) {
            assert_int_equal(num_put_integer(scratch, n), strlen(texts[i].text));
            assert_string_equal(scratch, texts[i].text);
            assert_int_equal(val_of_integer(&w.heap, n, &again), STATUS_OK);
            assert_int_equal(form_of(again), texts[i].form);
            assert_true(val_eq(v, again));
            val_release(&w.heap, again);
        }
        val_release(&w.heap, v);
    }
    world_end(&w);
}

static void test_needles_match_equal_values_only(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w, 3);
    for (int i = 0; i < TEXTS; i++) {
        val v = make(&w, texts[i].text);
        struct needle by_text = needle_of_text(&w.heap, view_of(texts[i].text));
        struct needle by_value = needle_of_val(&w.heap, v);
        for (int k = 0; k < TEXTS; k++) {
            val u = make(&w, texts[k].text);
            assert_int_equal(val_eq(v, u), i == k);
            assert_int_equal(needle_matches(&by_text, u), i == k);
            assert_int_equal(needle_matches(&by_value, u), i == k);
            if (i == k) {
                assert_int_equal(val_hash(&w.heap, u), by_text.hash);
                assert_int_equal(val_hash(&w.heap, u), by_value.hash);
                assert_int_equal(val_hash(&w.heap, v), by_value.hash);
            }
            assert_int_equal(val_compare(&w.heap, v, u) == 0, i == k);
            val_release(&w.heap, u);
        }
        val_release(&w.heap, v);
    }
    world_end(&w);
}

static void test_containers_compare_by_identity(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w, 4);
    val a = w.palette[1], b = w.palette[9], text = w.palette[0];
    assert_true(val_is_container(a) && val_is_container(b) && !val_is_container(text));
    struct needle n = needle_of_val(&w.heap, a);
    assert_true(needle_matches(&n, a));
    assert_false(needle_matches(&n, b));
    assert_false(needle_matches(&n, text));
    assert_false(val_eq(a, b));
    uint64_t first, second;
    assert_int_equal(ident_number(&w.heap, val_obj(a), &first), STATUS_OK);
    assert_int_equal(ident_number(&w.heap, val_obj(b), &second), STATUS_OK);
    assert_true(first < second);
    assert_true(val_compare(&w.heap, a, b) < 0);
    assert_true(val_compare(&w.heap, b, a) > 0);
    assert_true(val_compare(&w.heap, a, text) > 0);
    assert_true(val_compare(&w.heap, text, a) < 0);
    world_end(&w);
}

static void test_val_compare_orders_strings_by_bytes(void **state)
{
    static const char *const ordered[] = {"",   "-1",      "10",       "9",         "B", "a",
                                          "aa", "abcdefg", "abcdefgh", "abcdefgha", "b", "\xff"};
    enum { ORDERED = sizeof ordered / sizeof *ordered };
    (void)state;
    struct world w;
    world_begin(&w, 5);
    val values[ORDERED];
    for (int i = 0; i < ORDERED; i++) values[i] = make(&w, ordered[i]);
    for (int i = 0; i < ORDERED; i++)
        for (int k = 0; k < ORDERED; k++) {
            int c = val_compare(&w.heap, values[i], values[k]);
            assert_int_equal((c > 0) - (c < 0), (i > k) - (i < k));
        }
    for (int i = 0; i < ORDERED; i++) val_release(&w.heap, values[i]);
    world_end(&w);
}

static void test_needle_take_value_gives_what_it_was_made_from(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w, 6);
    for (int i = 0; i < TEXTS; i++) {
        struct needle n = needle_of_text(&w.heap, view_of(texts[i].text));
        val v, same;
        assert_int_equal(needle_take_value(&w.heap, &n, &v), STATUS_OK);
        assert_int_equal(form_of(v), texts[i].form);
        n = needle_of_val(&w.heap, v);
        assert_int_equal(needle_take_value(&w.heap, &n, &same), STATUS_OK);
        assert_int_equal(v.w, same.w);
        if (val_is_obj(v)) assert_int_equal(val_obj(v)->count, 2);
        val_release(&w.heap, v);
        val_release(&w.heap, same);
    }
    world_end(&w);
}

static void test_needle_take_interned_makes_equal_strings_one_object(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w, 7);
    for (int i = 0; i < TEXTS; i++) {
        struct view text = view_of(texts[i].text);
        struct needle n = needle_of_text(&w.heap, text);
        val first, second, third, plain = make(&w, texts[i].text);
        assert_int_equal(needle_take_interned(&w.heap, &n, &first), STATUS_OK);
        assert_int_equal(needle_take_interned(&w.heap, &n, &second), STATUS_OK);
        /* By an equal string that is not the interned one. */
        n = needle_of_val(&w.heap, plain);
        assert_int_equal(needle_take_interned(&w.heap, &n, &third), STATUS_OK);
        assert_true(val_eq(first, plain));
        if (texts[i].form != NUMBER) {
            assert_int_equal(first.w, second.w);
            assert_int_equal(first.w, third.w);
        }
        if (texts[i].form == STRING) {
            assert_true(val_obj(first)->flags & OBJ_INTERNED);
            assert_int_equal(val_obj(first)->count, 3);
            assert_ptr_equal(intern_find(&w.heap, text, n.hash), val_obj(first));
        }
        assert_true(intern_check(&w.heap));
        val_release(&w.heap, first);
        val_release(&w.heap, second);
        val_release(&w.heap, third);
        val_release(&w.heap, plain);
        if (texts[i].form == STRING) assert_null(intern_find(&w.heap, text, n.hash));
    }
    world_end(&w);
}

static void test_values_without_memory_leave_nothing_behind(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w, 8);
    for (int i = 0; i < TEXTS; i++) {
        struct needle n = needle_of_text(&w.heap, view_of(texts[i].text));
        enum status s = STATUS_OOM;
        for (uint64_t at = 1; s; at++) {
            val v = VAL_NIL;
            w.mem.fail_at = at;
            s = needle_take_interned(&w.heap, &n, &v);
            w.mem.fail_at = 0;
            if (s) {
                assert_int_equal(s, STATUS_OOM);
                assert_true(val_is_nil(v));
                assert_true(texts[i].form == NUMBER || texts[i].form == STRING);
            } else {
                val_release(&w.heap, v);
            }
            assert_only_palette(&w);
        }
    }
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_val_of_text_gives_each_text_its_one_form),
        cmocka_unit_test(test_val_get_integer_knows_canonical_integers_only),
        cmocka_unit_test(test_needles_match_equal_values_only),
        cmocka_unit_test(test_containers_compare_by_identity),
        cmocka_unit_test(test_val_compare_orders_strings_by_bytes),
        cmocka_unit_test(test_needle_take_value_gives_what_it_was_made_from),
        cmocka_unit_test(test_needle_take_interned_makes_equal_strings_one_object),
        cmocka_unit_test(test_values_without_memory_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
