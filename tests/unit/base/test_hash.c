/*
 * Hashes: the same seed gives the same hash, another seed another one, and every bit of a word
 * counts.
 *
 * Method: each bit of a word is flipped, and the flips among the hash's bits are counted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hash.h"

static void test_hash_bytes_depends_on_seed_and_length(void **state)
{
    (void)state;
    assert_true(hash_bytes(1, "abc", 3) == hash_bytes(1, "abcd", 3));
    assert_true(hash_bytes(1, "abc", 3) != hash_bytes(2, "abc", 3));
    assert_true(hash_bytes(1, "abc", 3) != hash_bytes(1, "abc", 2));
    assert_true(hash_bytes(1, "", 0) != hash_bytes(2, "", 0));
}

static void test_hash_word_avalanche(void **state)
{
    (void)state;
    uint64_t seed = hash_seed_random();
    for (int bit = 0; bit < 64; bit++) {
        int flips = 0;
        for (uint64_t w = 0; w < 256; w++) {
            uint64_t a = hash_word(seed, w * 8), b = hash_word(seed, w * 8 ^ (uint64_t)1 << bit);
            flips += __builtin_popcountll(a ^ b);
        }
        assert_in_range(flips, 256 * 28, 256 * 36); /* half of 64, more or less */
    }
}

static void test_hash_seed_random_differs(void **state)
{
    (void)state;
    assert_true(hash_seed_random() != hash_seed_random());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash_bytes_depends_on_seed_and_length),
        cmocka_unit_test(test_hash_word_avalanche),
        cmocka_unit_test(test_hash_seed_random_differs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
