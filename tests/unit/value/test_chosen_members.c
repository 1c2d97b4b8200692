/*
 * Goal: members that a client chooses do not share a bucket more often than others do.
 *
 * Method: the attack that a mix without secrets allows. The finalizer of MurmurHash3 is inverted,
 * which gives, to who knows what is mixed in, as many integers as one wants with the same 32 bits
 * of hash. A set of them must have as few overflow buckets as any other set of its size.
 */
#include "containers.h"

#include "value/body.h"

enum { CHOSEN = 20000 };

static uint64_t inverse_modulo_2_64(uint64_t odd)
{
    uint64_t inverse = odd;
    for (int i = 0; i < 6; i++) inverse *= 2 - odd * inverse;
    return inverse;
}

/* The word that hash_word(tweak, word) makes `hashed` of. */
static uint64_t unmixed(uint64_t tweak, uint64_t hashed)
{
    hashed ^= hashed >> 33;
    hashed *= inverse_modulo_2_64(0xc4ceb9fe1a85ec53ULL);
    hashed ^= hashed >> 33;
    hashed *= inverse_modulo_2_64(0xff51afd7ed558ccdULL);
    hashed ^= hashed >> 33;
    return hashed ^ tweak;
}

static uint32_t overflow_buckets(const struct obj *o)
{
    return ((const struct body_table *)obj_body(o))->table.overflow_buckets;
}

static void fill(struct world *w, uint64_t tweak, bool chosen)
{
    subject_make(w, OBJ_SET);
    uint64_t added = 0;
    for (uint64_t i = 0; added < CHOSEN; i++) {
        val v = {chosen ? unmixed(tweak, i << 32 | 0x12345678) : i << 3 | VAL_TAG_INT};
        if (!val_is_int(v)) continue;
        struct needle member = needle_of_val(&w->heap, v);
        bool is_new;
        assert_int_equal(set_add(&w->heap, w->subject, &member, &is_new), STATUS_OK);
        assert_true(is_new);
        added++;
    }
    assert_true(overflow_buckets(w->subject) < CHOSEN / TABLE_BUCKET_ENTRIES / 2);
    subject_drop(w);
    settle(w);
}

static void test_chosen_members_are_spread_as_others_are(void **state)
{
    (void)state;
    enum { SEED = 31 };
    struct world w;
    world_begin(&w, SEED);
    assert_int_equal(unmixed(SEED, hash_word(SEED, 77)), 77);
    fill(&w, 0, false);
    fill(&w, 0, true);
    fill(&w, SEED, true);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chosen_members_are_spread_as_others_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
