/*
 * Goal: what is packed comes back as the same value, in its one form, and cannot be told from the
 * same text as an immediate or an object.
 * Method: texts and integers at every boundary of the encoding and many random ones, each packed,
 * stepped over, read back and compared with every form that the text has; blocks of random entries
 * searched beside an array; damaged blocks refused.
 */
#include "containers.h"

#include <math.h>

#include "value/pack.h"
#include "value/str.h"

enum { BLOCK_BYTES = 1 << 18, ENTRIES = 200 };

static uint8_t block[BLOCK_BYTES];

/* A text of one of the kinds that packing tells apart; `big` allows the longest head. */
static struct view random_text(struct world *w, char *at, bool big)
{
    static const size_t lengths[] = {0,  1,  6,   7,    8,    9,    62,   63,
                                     64, 65, 500, 1086, 1087, 1088, 70000};
    uint32_t kind = below(w, 3);
    if (kind == 0) {
        int64_t n = (int64_t)(hash_word(1, w->seed) >> below(w, 64));
        if (below(w, 2)) n = -n;
        return (struct view){at, num_put_integer(at, n)};
    }
    size_t n = kind == 1 ? below(w, 20) : lengths[below(w, big ? 15 : 14)];
    for (size_t i = 0; i < n; i++) at[i] = (char)('0' + below(w, 20));
    return (struct view){at, n};
}

/* All forms of one text beside its packed entry. */
static void compare_with_every_form(struct world *w, struct view text)
{
    char scratch[VAL_TEXT_CHARS], scratch_again[VAL_TEXT_CHARS];
    struct pack_item it = pack_item_of_text(text), again;
    uint8_t *end = pack_put(block, &it);
    assert_int_equal(end - block, pack_item_bytes(&it));
    assert_ptr_equal(pack_next(block), end);
    assert_true(pack_check(block, end));
    val packed = pack_get(block), made, kept;
    assert_int_equal(val_of_text(&w->heap, text, &made), STATUS_OK);
    assert_int_equal(val_keep(&w->heap, packed, &kept), STATUS_OK);
    assert_true(view_eq(val_text(&packed, scratch), text));
    assert_true(view_eq(val_text(&kept, scratch), text));
    assert_int_equal(val_is_bytes(packed), val_is_obj(made));
    assert_true(val_check(kept) && !val_is_bytes(kept));
    assert_int_equal(val_is_obj(kept), val_is_obj(made));
    assert_true(val_eq(packed, made) && val_eq(made, packed) && val_eq(packed, kept));
    assert_int_equal(val_hash(&w->heap, packed), val_hash(&w->heap, made));
    assert_int_equal(val_text_bytes(packed), text.n);
    assert_int_equal(val_type(packed), OBJ_STRING);
    assert_int_equal(val_compare(&w->heap, packed, made), 0);
    struct needle needles[] = {needle_of_text(&w->heap, text), needle_of_val(&w->heap, made),
                               needle_of_val(&w->heap, packed)};
    for (int i = 0; i < 3; i++) {
        assert_true(needle_matches(&needles[i], packed) && needle_matches(&needles[i], made));
        assert_int_equal(needles[i].hash, val_hash(&w->heap, made));
        assert_true(pack_item_of_needle(&needles[i], &again));
        assert_true(pack_is(block, &again));
    }
    int64_t m = 0, n = 0;
    assert_int_equal(val_get_integer(packed, &m), val_get_integer(made, &n));
    assert_int_equal(m, n);
    again = pack_item_of_val(&made);
    assert_true(pack_is(block, &again));
    assert_true(view_eq(val_text(&made, scratch_again), text));
    val_release(&w->heap, kept);
    val_release(&w->heap, made);
}

static void test_pack_gives_back_every_text(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w, 1);
    static char text[70000];
    for (int i = 0; i < 20000; i++) compare_with_every_form(&w, random_text(&w, text, i % 50 == 0));
    static const int64_t integers[] = {0,
                                       127,
                                       128,
                                       8319,
                                       8320,
                                       1056895,
                                       1056896,
                                       -1,
                                       -128,
                                       -129,
                                       32767,
                                       -32768,
                                       -32769,
                                       8388607,
                                       INT32_MAX,
                                       INT32_MIN,
                                       INT64_MAX,
                                       INT64_MIN,
                                       VAL_INT_MAX,
                                       VAL_INT_MIN,
                                       VAL_INT_MAX + 1,
                                       VAL_INT_MIN - 1};
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++) {
        struct pack_item it = pack_item_of_integer(integers[i]);
        pack_put(block, &it);
        assert_int_equal(pack_integer(block), integers[i]);
        compare_with_every_form(&w, (struct view){text, num_put_integer(text, integers[i])});
    }
    world_end(&w);
}

static void test_pack_takes_as_few_bytes_as_it_says(void **state)
{
    (void)state;
    static const struct {
        int64_t n;
        size_t bytes;
    } integers[] = {{0, 1},       {127, 1},     {128, 2},       {8319, 2},     {8320, 3},
                    {1056895, 3}, {-1, 2},      {-128, 2},      {-129, 3},     {1056896, 4},
                    {8388607, 4}, {8388608, 5}, {INT32_MIN, 5}, {INT64_MAX, 9}};
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++) {
        struct pack_item it = pack_item_of_integer(integers[i].n);
        assert_int_equal(pack_item_bytes(&it), integers[i].bytes);
    }
    static const struct {
        size_t length, bytes;
    } texts[] = {{0, 1}, {63, 64}, {64, 66}, {1087, 1089}, {1088, 1093}};
    static char text[2000];
    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct pack_item it = pack_item_of_text((struct view){text, texts[i].length});
        assert_int_equal(pack_item_bytes(&it), texts[i].bytes);
    }
}

static void test_pack_find_finds_what_an_array_holds(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w, 2);
    static char texts[ENTRIES][70000];
    static struct view views[ENTRIES];
    for (int round = 0; round < 30; round++) {
        uint8_t *at = block;
        uint32_t stride = 1 + below(&w, 2);
        for (uint32_t i = 0; i < ENTRIES; i++) {
            views[i] = random_text(&w, texts[i], false);
            struct pack_item it = pack_item_of_text(views[i]);
            at = pack_put(at, &it);
        }
        assert_true(pack_check(block, at));
        for (uint32_t i = 0; i < ENTRIES; i++) {
            struct pack_item it = pack_item_of_text(views[i]);
            uint32_t first = 0; /* of the stride, with the same text */
            while (first < ENTRIES && !(first % stride == 0 && view_eq(views[first], views[i])))
                first++;
            const uint8_t *wanted = block;
            for (uint32_t k = 0; k < first && first < ENTRIES; k++) wanted = pack_next(wanted);
            assert_ptr_equal(pack_skip(block, first), first < ENTRIES ? wanted : at);
            if (first == ENTRIES) wanted = NULL;
            if (stride == 1)
                assert_ptr_equal(pack_find(block, at, &it), wanted);
            else
                assert_ptr_equal(pack_find_pair(block, ENTRIES / 2, &it),
                                 wanted ? pack_next(wanted) : NULL);
        }
    }
    world_end(&w);
}

enum { ALIKE_BYTES_MAX = 40, PAIRS_MAX = 7 };

/* Pairs of a text of n times 'x' and a score, of which all but one have another byte in that place,
 * or (place n) miss the last; in a block of their own that ends where they do. */
static uint8_t *pairs_alike(uint32_t pairs, uint32_t but, size_t n, size_t place, size_t *bytes)
{
    uint8_t *made = malloc(pairs * (ALIKE_BYTES_MAX + 1 + PACK_DOUBLE_BYTES)), *at = made;
    assert_non_null(made);
    for (uint32_t i = 0; i < pairs; i++) {
        char text[ALIKE_BYTES_MAX];
        memset(text, 'x', n);
        if (i != but && place < n) text[place] = (char)('a' + i);
        struct pack_item it = pack_item_of_text((struct view){text, n - (i != but && place == n)}),
                         score = pack_item_of_double(i % 2 ? i : i + 0.5);
        at = pack_put(pack_put(at, &it), &score);
    }
    *bytes = (size_t)(at - made);
    made = realloc(made, *bytes);
    assert_non_null(made);
    return made;
}

/* A search that compares words takes no text for another, and reads nothing behind the block. */
static void test_pack_tells_texts_apart_that_are_almost_the_same(void **state)
{
    (void)state;
    char text[ALIKE_BYTES_MAX + 1];
    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < ALIKE_BYTES_MAX * (ALIKE_BYTES_MAX + 1) * PAIRS_MAX; i++) {
        uint32_t pairs = 1 + (uint32_t)(i % PAIRS_MAX), but = (uint32_t)(i / 3) % pairs;
        size_t n = 1 + i / PAIRS_MAX % ALIKE_BYTES_MAX, bytes;
        size_t place = i / PAIRS_MAX / ALIKE_BYTES_MAX;
        if (place > n) continue;
        uint8_t *made = pairs_alike(pairs, but, n, place, &bytes);
        const uint8_t *wanted = pack_skip(made, 2 * (uint64_t)but), *end = made + bytes;
        struct pack_item it = pack_item_of_text((struct view){text, n}),
                         longer = pack_item_of_text((struct view){text, n + 1});
        assert_ptr_equal(pack_find(made, end, &it), wanted);
        assert_ptr_equal(pack_find_scored(made, end, &it), wanted);
        assert_ptr_equal(pack_find_pair(made, pairs, &it), pack_next(wanted));
        assert_null(pack_find(made, end, &longer));
        assert_null(pack_find_scored(made, end, &longer));
        assert_null(pack_find_pair(made, pairs, &longer));
        free(made);
    }
}

static void test_pack_reference_is_its_string(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w, 3);
    val v;
    struct view text = view_of("a string that others refer to as well");
    assert_int_equal(val_of_text(&w.heap, text, &v), STATUS_OK);
    uint8_t *end = pack_put_ref(block, val_obj(v));
    struct pack_item same = pack_item_of_text(text), other = pack_item_of_text(view_of("a string"));
    assert_int_equal(pack_kind(block), PACK_REF);
    assert_ptr_equal(pack_next(block), end);
    assert_int_equal(pack_get(block).w, v.w);
    assert_true(pack_is(block, &same));
    assert_false(pack_is(block, &other));
    assert_ptr_equal(pack_find(block, end, &same), block);
    assert_true(pack_check(block, end));
    val_release(&w.heap, v);
    world_end(&w);
}

static void test_pack_gap_is_no_value(void **state)
{
    (void)state;
    struct pack_item it = pack_item_of_text(view_of("after")),
                     empty = pack_item_of_text(view_of(""));
    uint8_t *end = pack_put_gap(block);
    assert_ptr_equal(end, block + PACK_GAP_BYTES);
    assert_int_equal(pack_kind(block), PACK_GAP);
    assert_true(val_is_none(pack_get(block)));
    assert_false(pack_is(block, &empty));
    end = pack_put(end, &it);
    assert_ptr_equal(pack_skip(block, 2), end);
    assert_ptr_equal(pack_find(block, end, &it), block + PACK_GAP_BYTES);
    assert_true(pack_check(block, end));
}

static void test_pack_gives_back_every_score(void **state)
{
    (void)state;
    static const double scores[] = {0.0,
                                    -0.0,
                                    1,
                                    -1,
                                    0.5,
                                    127,
                                    128,
                                    1e6,
                                    9007199254740992.0,
                                    9007199254740994.0,
                                    -9007199254740992.0,
                                    1e300,
                                    -1e-300,
                                    INFINITY,
                                    -INFINITY,
                                    3.141592653589793,
                                    5e-324};
    for (size_t i = 0; i < sizeof scores / sizeof *scores; i++) {
        struct pack_item it = pack_item_of_double(scores[i]);
        uint8_t *end = pack_put(block, &it);
        double back = pack_get_double(block);
        assert_memory_equal(&back, &scores[i], sizeof back);
        assert_ptr_equal(pack_next(block), end);
        assert_true(pack_check(block, end));
    }
}

static void test_pack_check_refuses_other_forms(void **state)
{
    (void)state;
    static const struct {
        uint8_t bytes[10];
        size_t n;
    } wrong[] = {
        {{0x81, '7'}, 2},                          /* an integer as a text */
        {{0xf0, 5}, 2},                            /* wider than it must be */
        {{0xf1, 0xff, 0x00}, 3},                   /* 255: has a form of 13 bits */
        {{0xfc, 3, 0, 0, 0, 'a', 'b', 'c'}, 8},    /* a longer head than it must have */
        {{0x82, 'a'}, 2},                          /* cut off */
        {{0xfe, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f}, 9}, /* 1.0: an integer says it */
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(pack_check(wrong[i].bytes, wrong[i].bytes + wrong[i].n));
}

static void test_pack_item_of_needle_refuses_containers(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w, 4);
    struct obj *o = heap_container_new(&w.heap, OBJ_LIST);
    struct needle n = needle_of_val(&w.heap, val_of_obj(o));
    struct pack_item it;
    assert_false(pack_item_of_needle(&n, &it));
    rc_dec(&w.heap, o);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pack_gives_back_every_text),
        cmocka_unit_test(test_pack_takes_as_few_bytes_as_it_says),
        cmocka_unit_test(test_pack_find_finds_what_an_array_holds),
        cmocka_unit_test(test_pack_tells_texts_apart_that_are_almost_the_same),
        cmocka_unit_test(test_pack_reference_is_its_string),
        cmocka_unit_test(test_pack_gap_is_no_value),
        cmocka_unit_test(test_pack_gives_back_every_score),
        cmocka_unit_test(test_pack_check_refuses_other_forms),
        cmocka_unit_test(test_pack_item_of_needle_refuses_containers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
