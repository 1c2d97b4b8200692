/*
 * Goal: an entry gives back the key and the value that were put into it, in the bytes that its
 * header promises, whatever was there before and whether or not there is room for a place.
 * Method: every length of a key and of a text at which the layout changes, against each other; then
 * the sizes that the design counts on.
 */
#include "world.h"

static const uint32_t key_lengths[] = {0, 1, 12, 30, 31, 32, 40, 300, 5000};
static const uint32_t text_lengths[] = {0, 1, 7, 8, 63, 64, 100, 1000, 1024};

enum {
    KEYS = sizeof key_lengths / sizeof *key_lengths,
    TEXTS = sizeof text_lengths / sizeof *text_lengths,
    CHARS = 5000,
};

static struct view chars(uint32_t n, char first)
{
    static char at[2][CHARS];
    char *p = at[first == 'k'];
    for (uint32_t i = 0; i < n; i++) p[i] = (char)(first + (int)(i % 13));
    return (struct view){p, n};
}

static struct entry_content content_of(uint32_t i)
{
    return (struct entry_content){.item = pack_item_of_text(chars(text_lengths[i], 'n'))};
}

static void assert_entry(const struct entry *e, uint32_t key, uint32_t text)
{
    char scratch[VAL_TEXT_CHARS];
    val v = entry_value(e);
    assert_true(entry_check(e));
    assert_true(view_eq(entry_key(e), chars(key_lengths[key], 'k')));
    assert_true(view_eq(val_text(&v, scratch), chars(text_lengths[text], 'n')));
    assert_int_equal(entry_clock(e), 0xabcdef);
}

static void test_entry_holds_every_key_and_text(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 1);
    struct pool *p = w.heap.pool;
    for (uint32_t key = 0; key < KEYS; key++) {
        for (uint32_t text = 0; text < TEXTS; text++) {
            struct entry_content c = content_of(text);
            for (int expires = 0; expires < 2; expires++) {
                struct entry *e = entry_new(p, chars(key_lengths[key], 'k'), &c, expires);
                assert_non_null(e);
                entry_set_clock(e, 0xabcdef);
                assert_entry(e, key, text);
                assert_int_equal(entry_bytes(e), entry_bytes_for(key_lengths[key], &c, expires));
                if (!expires) {
                    struct entry *with = entry_with_room(p, e);
                    assert_non_null(with);
                    if (with != e) {
                        assert_entry(e, key, text);
                        entry_free(p, e);
                    }
                    e = with;
                }
                assert_int_equal(entry_place(e), 0);
                entry_set_place(e, 77);
                assert_entry(e, key, text);
                assert_int_equal(entry_place(e), 77);
                entry_free(p, e);
            }
        }
    }
    world_fini(&w);
}

/* In one block, with and without room for a place in every order. */
static void test_entry_write_in_place(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 1);
    struct pool *p = w.heap.pool;
    uint64_t written = 0;
    for (uint32_t key = 0; key < KEYS; key++) {
        for (uint32_t i = 0; i < TEXTS * TEXTS * 4; i++) {
            uint32_t from = i % TEXTS, to = i / TEXTS % TEXTS;
            bool had = i / (TEXTS * TEXTS) % 2, has = i / (TEXTS * TEXTS) / 2;
            struct entry_content c = content_of(from);
            struct entry *e = entry_new(p, chars(key_lengths[key], 'k'), &c, had);
            assert_non_null(e);
            entry_set_clock(e, 0xabcdef);
            if (had) entry_set_place(e, 5);
            c = content_of(to);
            if (entry_bytes_for(key_lengths[key], &c, has) == entry_bytes(e)) {
                entry_write(e, &c, has);
                assert_entry(e, key, to);
                assert_int_equal(entry_place(e), had && has ? 5 : 0);
                assert_int_equal(entry_has_room(e), has);
                written++;
            }
            entry_free(p, e);
        }
    }
    assert_true(written > KEYS * TEXTS * 2);
    world_fini(&w);
}

/* Exactly where writing in place is right and nothing but bytes is concerned; else nothing changes.
 */
static void test_entry_overwrite_in_place(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 1);
    struct pool *p = w.heap.pool;
    uint64_t written = 0, refused = 0;
    for (uint32_t key = 0; key < KEYS; key++) {
        for (uint32_t i = 0; i < TEXTS * TEXTS * 2; i++) {
            uint32_t from = i % TEXTS, to = i / TEXTS % TEXTS;
            bool has = i / (TEXTS * TEXTS);
            struct entry_content c = content_of(from);
            struct entry *e = entry_new(p, chars(key_lengths[key], 'k'), &c, has);
            assert_non_null(e);
            entry_set_clock(e, 0xabcdef);
            if (has) entry_set_place(e, 5);
            size_t bytes = entry_bytes(e);
            c = content_of(to);
            bool fits = !has && entry_bytes_for(key_lengths[key], &c, false) == bytes;
            assert_int_equal(entry_overwrite(e, &c), fits);
            assert_entry(e, key, fits ? to : from);
            assert_int_equal(entry_bytes(e), bytes);
            assert_int_equal(entry_place(e), has ? 5 : 0);
            *(fits ? &written : &refused) += 1;
            entry_free(p, e);
        }
    }
    assert_true(written > KEYS * TEXTS && refused > KEYS * TEXTS);
    world_fini(&w);
}

static void test_entry_refers(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 1);
    struct obj *o = world_list(&w, 1), *weak = weak_new(&w.heap, o);
    struct entry_content c = {.o = o}, text = {.item = pack_item_of_text(view_of("a text"))};
    struct entry *e = entry_new(w.heap.pool, view_of("key"), &c, false);
    assert_true(entry_check(e) && entry_refers(e) && !entry_is_weak(e));
    assert_ptr_equal(entry_obj(e), o);
    c.o = weak;
    assert_false(entry_overwrite(e, &c));
    assert_false(entry_overwrite(e, &text));
    assert_ptr_equal(entry_obj(e), o);
    entry_write(e, &c, false);
    assert_true(entry_check(e) && entry_is_weak(e));
    assert_int_equal(entry_value(e).w, val_of_obj(o).w);
    assert_int_equal(entry_stored(e).w, val_of_obj(weak).w);
    entry_write(e, &text, false);
    assert_true(entry_check(e) && !entry_refers(e) && !entry_is_weak(e));
    assert_null(entry_referred(e));
    entry_free(w.heap.pool, e);
    rc_dec(&w.heap, weak);
    rc_dec(&w.heap, o);
    world_fini(&w);
}

static void test_entry_sizes(void **state)
{
    (void)state;
    struct obj *o = (struct obj *)(uintptr_t)8;
    struct entry_content number = {.item = pack_item_of_integer(999999999)};
    struct entry_content text = {.item = pack_item_of_text(chars(64, 'n'))};
    struct entry_content small = {.item = pack_item_of_integer(1)};
    struct entry_content reference = {.o = o};
    assert_int_equal(entry_bytes_for(12, &reference, false), 24);
    assert_int_equal(entry_bytes_for(12, &reference, true), 32);
    assert_int_equal(entry_bytes_for(12, &number, false), 24);
    assert_int_equal(entry_bytes_for(16, &text, false), 88);
    assert_int_equal(entry_bytes_for(3, &small, false), 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entry_holds_every_key_and_text),
        cmocka_unit_test(test_entry_write_in_place),
        cmocka_unit_test(test_entry_overwrite_in_place),
        cmocka_unit_test(test_entry_refers),
        cmocka_unit_test(test_entry_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
