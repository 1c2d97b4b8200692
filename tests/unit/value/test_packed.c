/*
 * Goal: a packed block against an array of its elements, and its iterators in both directions.
 * Method: random histories of gaps opened and closed anywhere, elements replaced and the block
 * copied, with strings shared by reference among the elements; the block's check and a comparison
 * after each; the same with every allocation failing in its turn (debug builds); the check itself
 * against damage.
 */
#include "containers.h"

#include "value/packed.h"
#include "value/str.h"

enum { TEXTS = 40, ELEMENTS_MAX = 400, TEXT_BYTES_MAX = 64 };

struct fixture {
    struct world world;
    uint32_t stride;
    uint32_t length;
    uint8_t ids[ELEMENTS_MAX]; /* texts; of a pair the second is id + 1 */
    uint32_t lengths[TEXTS];
    char texts[TEXTS][128];
    val shared[TEXTS]; /* string objects, where the text can be one; the test's own */
    uint64_t refused;
};

static struct view text_at(const struct fixture *f, uint32_t id)
{
    id %= TEXTS;
    return (struct view){f->texts[id], f->lengths[id]};
}

static void begin(struct fixture *f, uint64_t seed, uint32_t stride)
{
    memset(f, 0, sizeof *f);
    world_begin(&f->world, seed);
    f->stride = stride;
    for (uint32_t i = 0; i < TEXTS; i++) {
        struct view text = text_of(i, f->texts[i]);
        f->lengths[i] = (uint32_t)text.n;
        assert_int_equal(val_of_text(&f->world.heap, text, &f->shared[i]), STATUS_OK);
    }
    subject_make(&f->world, OBJ_SET);
}

static void end(struct fixture *f)
{
    for (uint32_t i = 0; i < TEXTS; i++) val_release(&f->world.heap, f->shared[i]);
    subject_drop(&f->world);
    assert_only_palette(&f->world);
    world_end(&f->world);
}

/* By its text, or as a reference to the test's own object. */
static struct packed_in in_of(struct fixture *f, uint32_t id)
{
    struct packed_in in;
    id %= TEXTS;
    if (below(&f->world, 2)) {
        assert_true(packed_in_of_text(text_at(f, id), TEXT_BYTES_MAX, &in));
        return in;
    }
    struct obj *o = val_is_obj(f->shared[id]) ? val_obj(f->shared[id]) : NULL;
    if (o) rc_inc(&f->world.heap, o);
    assert_true(packed_in_of_val(&f->shared[id], TEXT_BYTES_MAX, &in));
    assert_int_equal(in.shared != NULL, o && o->type == OBJ_STRING);
    if (o) rc_dec(&f->world.heap, o);
    return in;
}

static void assert_element(const struct fixture *f, const uint8_t *at, uint32_t id)
{
    char scratch[VAL_TEXT_CHARS];
    for (uint32_t k = 0; k < f->stride; k++, at = pack_next(at)) {
        val v = pack_get(at);
        assert_true(view_eq(val_text(&v, scratch), text_at(f, id + k)));
    }
}

static void assert_same(struct fixture *f, const struct obj *o)
{
    const struct packed *b = packed_of(o);
    assert_int_equal(b ? b->count : 0, f->length);
    if (!b) {
        assert_null(obj_body(o));
        return;
    }
    assert_true(packed_check(o, f->stride));
    const uint8_t *at = b->at;
    for (uint32_t i = 0; i < f->length; i++) {
        assert_element(f, at, f->ids[i]);
        at = pack_skip(at, f->stride);
    }
    assert_ptr_equal(at, packed_end(b));
}

/* Steps to and fro from anywhere; what is passed backwards is looked up in windows. */
static void iterate(struct fixture *f)
{
    struct packed_iter it;
    if (f->length == 0) return;
    uint32_t index = below(&f->world, f->length);
    packed_seek(&it, packed_of(f->world.subject), index, f->stride);
    for (uint32_t turns = 0; turns < 4; turns++) {
        bool back = below(&f->world, 2);
        for (uint32_t steps = below(&f->world, 2 * (uint64_t)f->length); steps > 0; steps--) {
            assert_int_equal(it.index, index);
            assert_element(f, it.at, f->ids[index]);
            bool more = back ? index > 0 : index + 1 < f->length;
            assert_int_equal(back ? packed_prev(&it) : packed_next(&it), more);
            if (more) index = back ? index - 1 : index + 1;
        }
    }
}

static bool done(struct fixture *f, bool made)
{
    if (made) return true;
    f->refused++;
    assert_same(f, f->world.subject);
    return false;
}

static size_t offset_of(const struct fixture *f, uint32_t index)
{
    const struct packed *b = packed_of(f->world.subject);
    return b ? (size_t)(packed_at(b, index, f->stride) - b->at) : 0;
}

static void insert(struct fixture *f, uint32_t index, uint32_t id)
{
    struct heap *h = &f->world.heap;
    struct obj *o = f->world.subject;
    struct packed_in in[2];
    size_t bytes = 0;
    uint8_t *at;
    for (uint32_t k = 0; k < f->stride; k++) {
        in[k] = in_of(f, id + k);
        bytes += packed_in_bytes(&in[k]);
    }
    if (!packed_has_room(packed_of(o), bytes)) return;
    do at = packed_open(h, o, offset_of(f, index), bytes, 1);
    while (!done(f, at != NULL));
    for (uint32_t k = 0; k < f->stride; k++) at = packed_put(h, at, &in[k]);
    memmove(f->ids + index + 1, f->ids + index, f->length - index);
    f->ids[index] = (uint8_t)id;
    f->length++;
}

static void drop(struct fixture *f, uint32_t index, uint32_t count)
{
    size_t from = offset_of(f, index), to = offset_of(f, index + count);
    packed_remove(&f->world.heap, f->world.subject, from, to - from, count);
    packed_fit(&f->world.heap, f->world.subject);
    memmove(f->ids + index, f->ids + index + count, f->length - index - count);
    f->length -= count;
}

static void replace(struct fixture *f, uint32_t index, uint32_t id)
{
    struct heap *h = &f->world.heap;
    struct packed_in in[2];
    size_t bytes = 0, from = offset_of(f, index), old = offset_of(f, index + 1) - from;
    uint8_t *at;
    for (uint32_t k = 0; k < f->stride; k++) {
        in[k] = in_of(f, id + k);
        bytes += packed_in_bytes(&in[k]);
    }
    if (!packed_has_room(packed_of(f->world.subject), bytes)) return;
    do at = packed_replace(h, f->world.subject, from, old, bytes);
    while (!done(f, at != NULL));
    for (uint32_t k = 0; k < f->stride; k++) at = packed_put(h, at, &in[k]);
    f->ids[index] = (uint8_t)id;
}

static void copy(struct fixture *f)
{
    struct heap *h = &f->world.heap;
    if (f->length == 0) return;
    struct obj *to = heap_container_new(h, OBJ_SET);
    while (!done(f, to != NULL)) to = heap_container_new(h, OBJ_SET);
    while (!done(f, packed_copy(h, f->world.subject, to) == STATUS_OK)) assert_null(obj_body(to));
    assert_same(f, to);
    assert_int_equal(packed_bytes(packed_of(to)) <= packed_bytes(packed_of(f->world.subject)), 1);
    rc_dec(h, to); /* at once, not through the queue */
    assert_int_equal(h->release_pending, 0);
}

/* References that the block holds are counted, and visited once each. */
static void assert_references(struct fixture *f)
{
    uint64_t counted = 0;
    for (uint32_t i = 0; i < TEXTS; i++)
        if (val_is_obj(f->shared[i])) counted += val_obj(f->shared[i])->count - 1;
    assert_int_equal(visits_of(&f->world, f->world.subject, 1).all, counted);
}

static void history(struct fixture *f, uint32_t rounds)
{
    for (uint32_t i = 0; i < rounds; i++) {
        struct world *w = &f->world;
        bool grows = i / 200 % 2 ? below(w, 4) == 0 : below(w, 4) != 0;
        uint32_t id = below(w, TEXTS), kind = below(w, 12);
        if (kind == 0 && f->length)
            replace(f, below(w, f->length), id);
        else if (kind == 1)
            copy(f);
        else if (kind == 2)
            packed_expect(&w->heap, w->subject, below(w, 2 * PACKED_BYTES_MAX));
        else if (kind == 3)
            packed_expect_end(&w->heap, w->subject);
        else if (grows && f->length < ELEMENTS_MAX)
            insert(f, below(w, 3) ? below(w, f->length + 1) : f->length, id);
        else if (f->length) {
            uint32_t index = below(w, f->length);
            drop(f, index, below(w, 20) ? 1 : 1 + below(w, f->length - index));
        }
        assert_same(f, w->subject);
        if (i % 16 == 0) iterate(f);
        if (i % 64 == 0) assert_references(f);
    }
}

static void test_packed_random_history_matches_array(void **state)
{
    (void)state;
    static struct fixture f;
    for (uint32_t seed = 1; seed <= 6; seed++) {
        begin(&f, seed, 1 + seed % 2);
        history(&f, 1500);
        end(&f);
    }
}

static void test_packed_nth_allocation_fails(void **state)
{
    (void)state;
#ifndef HEAPD_DEBUG
    skip();
#endif
    static struct fixture f;
    begin(&f, 9, 1);
    f.world.mem.attempts = 0;
    history(&f, 150);
    uint64_t attempts = f.world.mem.attempts, refused = 0;
    end(&f);
    for (uint64_t n = 1; n <= attempts; n++) {
        begin(&f, 9, 1);
        f.world.mem.fail_at = n;
        history(&f, 150);
        refused += f.refused;
        end(&f);
    }
    assert_true(refused > 20);
}

static void test_packed_block_is_bounded(void **state)
{
    (void)state;
    static struct fixture f;
    static char long_text[PACKED_TEXT_BYTES_MAX + 1];
    struct packed_in in;
    begin(&f, 10, 1);
    memset(long_text, 'x', sizeof long_text);
    struct view most = {long_text, PACKED_TEXT_BYTES_MAX}, more = {long_text, sizeof long_text};
    assert_false(packed_in_of_text(most, TEXT_BYTES_MAX, &in));
    assert_false(packed_in_of_text(more, UINT32_MAX, &in));
    assert_true(packed_in_of_text(most, UINT32_MAX, &in));
    struct obj *o = f.world.subject;
    while (packed_has_room(packed_of(o), packed_in_bytes(&in))) {
        const struct packed *b = packed_of(o);
        uint8_t *at = packed_open(&f.world.heap, o, b ? b->used : 0, packed_in_bytes(&in), 1);
        assert_non_null(at);
        packed_put(&f.world.heap, at, &in);
        assert_true(packed_check(o, 1));
    }
    assert_int_equal(packed_of(o)->count, 3);
    packed_drop(&f.world.heap, o);
    end(&f);
}

static void test_packed_block_that_expects_elements_stays_where_it_is(void **state)
{
    (void)state;
    static struct fixture f;
    begin(&f, 12, 1);
    struct heap *h = &f.world.heap;
    struct obj *o = f.world.subject;
    struct packed_in in;
    packed_expect(h, o, 100); /* an empty one has no block */
    packed_expect_end(h, o);
    assert_null(obj_body(o));
    assert_true(packed_in_of_text(view_of("ten bytes."), TEXT_BYTES_MAX, &in));
    const struct packed *b = NULL;
    for (uint32_t i = 0; i < 40; i++) {
        uint8_t *at = packed_open(h, o, b ? b->used : 0, packed_in_bytes(&in), 1);
        assert_non_null(at);
        packed_put(h, at, &in);
        if (i == 0) packed_expect(h, o, 39 * packed_in_bytes(&in) + 200);
        assert_true(packed_check(o, 1));
        if (i > 0) assert_ptr_equal(packed_of(o), b);
        b = packed_of(o);
    }
    packed_expect(h, o, PACKED_BYTES_MAX); /* more than any block holds */
    assert_ptr_equal(packed_of(o), b);
    assert_true(b->bytes >= sizeof *b + b->used + 200);
    packed_expect_end(h, o);
    b = packed_of(o);
    assert_int_equal(b->count, 40);
    assert_int_equal(b->bytes, pool_good_bytes(sizeof *b + b->used));
    packed_expect_end(h, o);
    assert_ptr_equal(packed_of(o), b);
    packed_drop(h, o);
    end(&f);
}

static void test_packed_check_sees_damage(void **state)
{
    (void)state;
    static struct fixture f;
    begin(&f, 11, 1);
    for (uint32_t i = 0; i < 20; i++) insert(&f, i, i);
    struct packed *b = packed_of(f.world.subject);
    assert_false(packed_check(f.world.subject, 2) && b->count);
    b->count++;
    assert_false(packed_check(f.world.subject, 1));
    b->count--;
    b->used--;
    assert_false(packed_check(f.world.subject, 1));
    b->used++;
    b->bytes++;
    assert_false(packed_check(f.world.subject, 1));
    b->bytes--;
    uint8_t first = b->at[0];
    pack_put_gap(b->at);
    assert_false(packed_check(f.world.subject, 1));
    b->at[0] = first;
    f.world.subject->flags |= OBJ_VISIBLE;
    assert_false(packed_check(f.world.subject, 1));
    f.world.subject->flags &= (uint8_t)~OBJ_VISIBLE;
    assert_true(packed_check(f.world.subject, 1));
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packed_random_history_matches_array),
        cmocka_unit_test(test_packed_nth_allocation_fails),
        cmocka_unit_test(test_packed_block_is_bounded),
        cmocka_unit_test(test_packed_block_that_expects_elements_stays_where_it_is),
        cmocka_unit_test(test_packed_check_sees_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
