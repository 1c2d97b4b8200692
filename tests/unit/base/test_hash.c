/*
 * Hashes: what the keyed ones answer, that key, length and every byte count, and that every bit of
 * a word counts.
 *
 * Method: vectors of programs of their own. Those of AES were computed by an implementation from
 * FIPS 197's text, checked with the example of its appendix C.1; those of SipHash-1-3 by CPython
 * (hash() of bytes with PYTHONHASHSEED=0, a key of zeros). Many short texts that differ in little
 * are hashed, and no two may be equal. Bits are flipped, and the flips among the hash's bits are
 * counted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"

struct vector {
    size_t n; /* the text is so many bytes 0, 1, 2 and so on */
    uint64_t hash;
};

static void check_vectors(const struct hash_key *key, const struct vector *vectors, size_t count)
{
    uint8_t text[100];
    for (uint8_t i = 0; i < sizeof text; i++) text[i] = i;
    for (size_t i = 0; i < count; i++)
        assert_true(hash_bytes(key, text, vectors[i].n) == vectors[i].hash);
}

static void test_hash_bytes_by_aes_matches_vectors(void **state)
{
    (void)state;
    static const struct vector vectors[] = {
        {0, 0x84f6375ddc514e98ULL},  {1, 0x29011f23eec13579ULL},  {3, 0x9e423a55f8e369f1ULL},
        {4, 0x0787f6c7e23998a2ULL},  {7, 0x40d1f725b373f562ULL},  {8, 0xcea04c0671e0aa7cULL},
        {9, 0xe2ae3b4f365a60a7ULL},  {15, 0x76f5e44edd1aec18ULL}, {16, 0xca0af290b38c6648ULL},
        {17, 0xa6790ed4ac9a4e51ULL}, {31, 0xce94150a07980ffdULL}, {32, 0x93ff22d569e4ce42ULL},
        {33, 0x4d92592f366de8a7ULL}, {64, 0xd7dae401198a98feULL}, {100, 0xdba940b160bdfc06ULL},
    };
    struct hash_key key;
    hash_key_init(&key, &(struct hash_seed){{0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL}});
    if (!key.aes) skip();
    check_vectors(&key, vectors, sizeof vectors / sizeof vectors[0]);
    assert_true(hash_integer(&key, 0x1122334455667788ULL) == 0x120d5a4a71504d33ULL);
}

static void test_hash_bytes_by_siphash_matches_vectors(void **state)
{
    (void)state;
    static const struct vector vectors[] = {
        {1, 0x68a914128e01e473ULL},  {3, 0x4d4c9a4a8ef6e0adULL},   {7, 0x2f098ab0c751325aULL},
        {8, 0xead411e67ebe2eeaULL},  {9, 0x75927f9d95124362ULL},   {15, 0xf30eb725bb91c9eaULL},
        {16, 0x8972188433a5c5b7ULL}, {17, 0x4883c49a2c009c1dULL},  {63, 0x385d3e39e5f37359ULL},
        {64, 0x75e05fd5bbc870c6ULL}, {100, 0x1c6a66e1506e7908ULL},
    };
    struct hash_key key;
    hash_key_init_sip(&key, &(struct hash_seed){{0, 0}});
    assert_false(key.aes);
    check_vectors(&key, vectors, sizeof vectors / sizeof vectors[0]);
    uint64_t integer = 77;
    assert_true(hash_integer(&key, integer) == hash_bytes(&key, &integer, sizeof integer));
}

/* --- what both have in common --- */

static struct hash_key key_of(uint64_t bits, bool aes)
{
    struct hash_key key;
    struct hash_seed seed = hash_seed_of(bits);
    if (aes)
        hash_key_init(&key, &seed);
    else
        hash_key_init_sip(&key, &seed);
    return key;
}

static void test_hash_bytes_depends_on_seed_and_length(void **state)
{
    (void)state;
    for (int aes = 0; aes < 2; aes++) {
        struct hash_key one = key_of(1, aes), same = key_of(1, aes), other = key_of(2, aes);
        assert_true(hash_bytes(&one, "abc", 3) == hash_bytes(&same, "abcd", 3));
        assert_true(hash_bytes(&one, "abc", 3) != hash_bytes(&other, "abc", 3));
        assert_true(hash_bytes(&one, "abc", 3) != hash_bytes(&one, "abc", 2));
        assert_true(hash_bytes(&one, "", 0) != hash_bytes(&other, "", 0));
        assert_true(hash_integer(&one, 5) != hash_integer(&other, 5));
    }
}

static int compare_words(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Zeros of every length, alone and with one or two bytes that are something else. */
static void test_hash_bytes_of_similar_texts_differ(void **state)
{
    (void)state;
    enum { LENGTH_MAX = 70, HASHES_MAX = 1 << 18 };
    uint64_t *hashes = malloc(HASHES_MAX * sizeof hashes[0]);
    for (int aes = 0; aes < 2; aes++) {
        struct hash_key key = key_of(3, aes);
        size_t count = 0;
        for (size_t n = 0; n <= LENGTH_MAX; n++) {
            uint8_t text[LENGTH_MAX + 1] = {0};
            hashes[count++] = hash_bytes(&key, text, n);
            for (size_t a = 0; a < n; a++) {
                text[a] = 1;
                for (size_t b = 0; b <= a; b++) {
                    if (b < a) text[b] = 0x80;
                    hashes[count++] = hash_bytes(&key, text, n);
                    if (b < a) text[b] = 0;
                }
                text[a] = 0;
            }
        }
        assert_true(count <= HASHES_MAX);
        qsort(hashes, count, sizeof hashes[0], compare_words);
        for (size_t i = 1; i < count; i++) assert_true(hashes[i - 1] != hashes[i]);
    }
    free(hashes);
}

/* The flips among a hash's bits when one bit of `text` is flipped, over all of its bits. */
static uint32_t flips_of(const struct hash_key *key, uint8_t *text, size_t n)
{
    uint32_t flips = 0;
    for (size_t bit = 0; bit < 8 * n; bit++) {
        uint64_t before = hash_bytes(key, text, n);
        text[bit / 8] ^= (uint8_t)(1 << bit % 8);
        flips += (uint32_t)__builtin_popcountll(before ^ hash_bytes(key, text, n));
    }
    return flips;
}

static void test_hash_bytes_avalanche(void **state)
{
    (void)state;
    enum { BYTES = 64 };
    for (int aes = 0; aes < 2; aes++) {
        struct hash_key key = key_of(4, aes);
        for (size_t n = 1; n <= BYTES; n++) {
            uint8_t text[BYTES] = {0};
            uint32_t flips = 0, rounds = 64;
            for (uint32_t i = 0; i < rounds; i++) flips += flips_of(&key, text, n);
            uint32_t bits = rounds * 8 * (uint32_t)n;
            assert_in_range(flips, bits * 30, bits * 34); /* half of 64, more or less */
        }
    }
}

static void test_hash_word_avalanche(void **state)
{
    (void)state;
    for (int bit = 0; bit < 64; bit++) {
        int flips = 0;
        for (uint64_t w = 0; w < 256; w++) {
            uint64_t a = hash_word(5, w * 8), b = hash_word(5, w * 8 ^ (uint64_t)1 << bit);
            flips += __builtin_popcountll(a ^ b);
        }
        assert_in_range(flips, 256 * 28, 256 * 36); /* half of 64, more or less */
    }
}

static void test_hash_seed_random_differs(void **state)
{
    (void)state;
    struct hash_seed a = hash_seed_random(), b = hash_seed_random();
    assert_true(a.words[0] != b.words[0] && a.words[1] != b.words[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash_bytes_by_aes_matches_vectors),
        cmocka_unit_test(test_hash_bytes_by_siphash_matches_vectors),
        cmocka_unit_test(test_hash_bytes_depends_on_seed_and_length),
        cmocka_unit_test(test_hash_bytes_of_similar_texts_differ),
        cmocka_unit_test(test_hash_bytes_avalanche),
        cmocka_unit_test(test_hash_word_avalanche),
        cmocka_unit_test(test_hash_seed_random_differs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
