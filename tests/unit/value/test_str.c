/*
 * Goal: a string that is written to is what a plain buffer would be, and nobody but the writer sees
 * it. Method: random writes beside a buffer of the C library, with one and with two counts; the
 * cost of many appends, counted in allocations; the limits, and memory that fails.
 */
#include "containers.h"

#include "value/str.h"

static val make(struct world *w, struct view text)
{
    val v = VAL_NONE;
    assert_int_equal(val_of_text(&w->heap, text, &v), STATUS_OK);
    return v;
}

static void assert_text(val v, struct view text)
{
    char scratch[VAL_TEXT_CHARS];
    struct view is = val_text(&v, scratch);
    assert_int_equal(is.n, text.n);
    assert_memory_equal(is.p, text.p, text.n);
}

/* Puts the written value where the old one was, as a name does. */
static void replace(struct world *w, val *v, val with)
{
    val_release(&w->heap, *v);
    *v = with;
}

static bool interned(val v)
{
    return val_is_obj(v) && (val_obj(v)->flags & OBJ_INTERNED);
}

static void test_str_write_is_what_a_buffer_would_be(void **state)
{
    enum { BUFFER = 6000, ROUNDS = 20000 };
    static char buffer[BUFFER], piece[BUFFER];
    (void)state;
    struct world w;
    world_begin(&w, 1);
    val v = make(&w, view_of(""));
    size_t length = 0;
    for (int i = 0; i < ROUNDS; i++) {
        /* Short ones mostly, and now and then from the beginning, so that all forms are met. */
        if (below(&w, 50) == 0) {
            replace(&w, &v, make(&w, view_of("")));
            length = 0;
        }
        size_t offset = below(&w, 3) ? length : below(&w, length + 9);
        size_t n = below(&w, 20) ? below(&w, 12) : below(&w, 900);
        if (offset + n > BUFFER) continue;
        for (size_t k = 0; k < n; k++) piece[k] = (char)('0' + below(&w, below(&w, 4) ? 10 : 60));
        bool shared = below(&w, 4) == 0;
        val old = v, written;
        if (shared) val_retain(&w.heap, old);
        char before[BUFFER];
        memcpy(before, buffer, length);
        assert_int_equal(str_write(&w.heap, v, offset, (struct view){piece, n}, &written),
                         STATUS_OK);
        if (shared) {
            assert_text(old, (struct view){before, length});
            val_release(&w.heap, old);
        }
        if (offset > length) memset(buffer + length, 0, offset - length);
        memcpy(buffer + offset, piece, n);
        if (offset + n > length) length = offset + n;
        replace(&w, &v, written);
        assert_text(v, (struct view){buffer, length});
        val equal = make(&w, (struct view){buffer, length});
        assert_true(val_eq(v, equal));
        assert_int_equal(val_hash(&w.heap, v), val_hash(&w.heap, equal));
        if (val_is_obj(v)) assert_int_equal(val_obj(v)->count, 1);
        val_release(&w.heap, equal);
    }
    val_release(&w.heap, v);
    assert_only_palette(&w);
    world_end(&w);
}

static void test_str_write_leaves_interned_strings_alone(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w, 2);
    struct view text = view_of("a field name of some length");
    struct needle n = needle_of_text(&w.heap, text);
    val field, written;
    assert_int_equal(needle_take_interned(&w.heap, &n, &field), STATUS_OK);
    assert_true(interned(field));
    assert_int_equal(str_write(&w.heap, field, 0, view_of("A"), &written), STATUS_OK);
    assert_int_not_equal(field.w, written.w);
    assert_false(interned(written));
    assert_text(field, text);
    assert_text(written, view_of("A field name of some length"));
    val_release(&w.heap, field);
    val_release(&w.heap, written);
    world_end(&w);
}

static void test_str_write_settles_what_has_become_another_form(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w, 3);
    val v = make(&w, view_of("1234567x")), written;
    assert_true(val_is_obj(v));
    assert_int_equal(str_write(&w.heap, v, 7, view_of("8"), &written), STATUS_OK);
    assert_true(val_is_int(written));
    assert_int_equal(val_small(written), 12345678);
    replace(&w, &v, written);
    assert_int_equal(str_write(&w.heap, v, 8, view_of("90123456789"), &written), STATUS_OK);
    assert_int_equal(val_obj(written)->type, OBJ_NUMBER);
    replace(&w, &v, written);
    assert_int_equal(str_write(&w.heap, v, 0, view_of("0"), &written), STATUS_OK);
    assert_int_equal(val_obj(written)->type, OBJ_STRING);
    replace(&w, &v, written);
    val_release(&w.heap, v);
    world_end(&w);
}

static void test_str_write_appends_small_pieces_in_few_copies(void **state)
{
    enum { APPENDS = 300000, PIECE = 10 };
    (void)state;
    struct world w;
    world_begin(&w, 4);
    val v = make(&w, view_of("")), written;
    uint64_t copies = 0, copied_bytes = 0;
    for (size_t i = 0; i < APPENDS; i++) {
        assert_int_equal(str_write(&w.heap, v, i * PIECE, view_of("0123456789"), &written),
                         STATUS_OK);
        if (written.w != v.w) {
            copies++;
            copied_bytes += i * PIECE;
        }
        replace(&w, &v, written);
    }
    assert_int_equal(val_text_bytes(v), (size_t)APPENDS * PIECE);
    assert_true(copies < 150);
    assert_true(copied_bytes < (uint64_t)APPENDS * PIECE * 16);
    val_release(&w.heap, v);
    assert_only_palette(&w);
    while (mem_trim_step(&w.mem)) continue;
    world_end(&w);
}

static void test_str_write_refuses_what_is_too_long(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w, 5);
    val v = make(&w, view_of("a text that is long enough")), written = VAL_NIL;
    assert_int_equal(str_write(&w.heap, v, STR_BYTES_MAX, view_of("x"), &written), STATUS_TOO_LONG);
    assert_int_equal(str_write(&w.heap, v, SIZE_MAX, view_of("x"), &written), STATUS_TOO_LONG);
    assert_int_equal(str_write(&w.heap, v, SIZE_MAX, view_of(""), &written), STATUS_TOO_LONG);
    assert_true(val_is_nil(written));
    assert_text(v, view_of("a text that is long enough"));
    val_release(&w.heap, v);
    world_end(&w);
}

static void test_str_write_without_memory_changes_nothing(void **state)
{
    static const char *const texts[] = {"", "12", "a text that is long enough",
                                        "9223372036854775807"};
    (void)state;
    struct world w;
    world_begin(&w, 6);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        enum status s = STATUS_OOM;
        val v = make(&w, view_of(texts[i])), written = VAL_NIL;
        for (uint64_t at = 1; s; at++) {
            assert_true(val_is_nil(written));
            assert_text(v, view_of(texts[i]));
            w.mem.fail_at = at;
            s = str_write(&w.heap, v, 40, view_of("the end"), &written);
            w.mem.fail_at = 0;
        }
        assert_int_equal(val_text_bytes(written), 47);
        val_release(&w.heap, v);
        val_release(&w.heap, written);
        assert_only_palette(&w);
    }
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_str_write_is_what_a_buffer_would_be),
        cmocka_unit_test(test_str_write_leaves_interned_strings_alone),
        cmocka_unit_test(test_str_write_settles_what_has_become_another_form),
        cmocka_unit_test(test_str_write_appends_small_pieces_in_few_copies),
        cmocka_unit_test(test_str_write_refuses_what_is_too_long),
        cmocka_unit_test(test_str_write_without_memory_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
