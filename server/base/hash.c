#include "base/hash.h"

#include <string.h>
#include <sys/random.h>
#include <time.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

static uint64_t load_word(const uint8_t *p)
{
    uint64_t w;
    memcpy(&w, p, sizeof w);
    return w;
}

/* --- SipHash-1-3 (Aumasson and Bernstein) --- */

struct sip {
    uint64_t a, b, c, d;
};

static uint64_t rotate_left(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

static inline void sip_round(struct sip *s)
{
    s->a += s->b;
    s->b = rotate_left(s->b, 13) ^ s->a;
    s->a = rotate_left(s->a, 32);
    s->c += s->d;
    s->d = rotate_left(s->d, 16) ^ s->c;
    s->a += s->d;
    s->d = rotate_left(s->d, 21) ^ s->a;
    s->c += s->b;
    s->b = rotate_left(s->b, 17) ^ s->c;
    s->c = rotate_left(s->c, 32);
}

static inline void sip_take(struct sip *s, uint64_t word)
{
    s->d ^= word;
    sip_round(s);
    s->a ^= word;
}

/* The bytes after the last whole word, and the length. */
static uint64_t sip_last_word(const uint8_t *p, size_t n)
{
    uint64_t word = (uint64_t)n << 56;
    for (size_t i = 0; i < n % 8; i++) word |= (uint64_t)p[n / 8 * 8 + i] << 8 * i;
    return word;
}

static uint64_t sip_bytes(const struct hash_seed *seed, const uint8_t *p, size_t n)
{
    struct sip s = {seed->words[0] ^ 0x736f6d6570736575ULL, seed->words[1] ^ 0x646f72616e646f6dULL,
                    seed->words[0] ^ 0x6c7967656e657261ULL, seed->words[1] ^ 0x7465646279746573ULL};
    for (size_t i = 0; i + 8 <= n; i += 8) sip_take(&s, load_word(p + i));
    sip_take(&s, sip_last_word(p, n));
    s.c ^= 0xff;
    for (int i = 0; i < 3; i++) sip_round(&s);
    return s.a ^ s.b ^ s.c ^ s.d;
}

/* --- AES --- */

#if defined(__x86_64__)

#define WITH_AES __attribute__((target("aes")))

/* Written out: as a loop it takes twice the instructions. */
static inline WITH_AES __m128i aes_encrypt(const struct hash_key *key, __m128i block)
{
    const __m128i *rounds = (const __m128i *)(const void *)key->rounds;
    block = _mm_xor_si128(block, rounds[0]);
    block = _mm_aesenc_si128(block, rounds[1]);
    block = _mm_aesenc_si128(block, rounds[2]);
    block = _mm_aesenc_si128(block, rounds[3]);
    block = _mm_aesenc_si128(block, rounds[4]);
    block = _mm_aesenc_si128(block, rounds[5]);
    block = _mm_aesenc_si128(block, rounds[6]);
    block = _mm_aesenc_si128(block, rounds[7]);
    block = _mm_aesenc_si128(block, rounds[8]);
    block = _mm_aesenc_si128(block, rounds[9]);
    return _mm_aesenclast_si128(block, rounds[HASH_ROUNDS]);
}

/* Four rounds without a key: the state that they permute is secret. */
static inline WITH_AES __m128i aes_permute(__m128i state)
{
    for (int i = 0; i < 4; i++) state = _mm_aesenc_si128(state, _mm_setzero_si128());
    return state;
}

static inline WITH_AES __m128i load_block(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

static uint32_t load_half(const uint8_t *p)
{
    uint32_t w;
    memcpy(&w, p, sizeof w);
    return w;
}

/* A block of a text of at most 16 bytes. Two texts of the same length never have the same. */
static inline WITH_AES __m128i load_short(const uint8_t *p, size_t n)
{
    if (n >= 8) return _mm_set_epi64x((int64_t)load_word(p + n - 8), (int64_t)load_word(p));
    if (n >= 4) return _mm_set_epi64x(load_half(p + n - 4), load_half(p));
    if (n == 0) return _mm_setzero_si128();
    return _mm_cvtsi32_si128(p[0] | p[n / 2] << 8 | p[n - 1] << 16);
}

static inline WITH_AES __m128i mask_of(const struct hash_key *key, size_t mask)
{
    return ((const __m128i *)(const void *)key->masks)[mask];
}

static inline WITH_AES uint64_t aes_finish(const struct hash_key *key, __m128i block, size_t mask)
{
    block = aes_encrypt(key, _mm_xor_si128(block, mask_of(key, mask)));
    return (uint64_t)_mm_cvtsi128_si64(block);
}

static WITH_AES uint64_t aes_bytes(const struct hash_key *key, const uint8_t *p, size_t n)
{
    if (n <= HASH_BLOCK_BYTES) return aes_finish(key, load_short(p, n), n);
    __m128i state = mask_of(key, HASH_MASK_STATE);
    for (size_t i = 0; i + HASH_BLOCK_BYTES < n; i += HASH_BLOCK_BYTES)
        state = aes_permute(_mm_xor_si128(state, load_block(p + i)));
    state = _mm_xor_si128(state, load_block(p + n - HASH_BLOCK_BYTES));
    return aes_finish(key, state, HASH_MASK_LONG + n % HASH_BLOCK_BYTES);
}

static WITH_AES uint64_t aes_integer(const struct hash_key *key, uint64_t integer)
{
    return aes_finish(key, _mm_cvtsi64_si128((int64_t)integer), HASH_MASK_INTEGER);
}

/* The next round's key from the last one's, and what _mm_aeskeygenassist_si128 gave (FIPS 197). */
static WITH_AES __m128i next_round(__m128i last, __m128i assist)
{
    for (int i = 0; i < 3; i++) last = _mm_xor_si128(last, _mm_slli_si128(last, 4));
    return _mm_xor_si128(last, _mm_shuffle_epi32(assist, 0xff));
}

static WITH_AES void aes_set_key(struct hash_key *key, __m128i k)
{
    __m128i *rounds = (__m128i *)(void *)key->rounds;
    rounds[0] = k;
#define ROUND(i, constant)                                                                         \
    rounds[i] = next_round(rounds[(i)-1], _mm_aeskeygenassist_si128(rounds[(i)-1], constant))
    ROUND(1, 0x01);
    ROUND(2, 0x02);
    ROUND(3, 0x04);
    ROUND(4, 0x08);
    ROUND(5, 0x10);
    ROUND(6, 0x20);
    ROUND(7, 0x40);
    ROUND(8, 0x80);
    ROUND(9, 0x1b);
    ROUND(10, 0x36);
#undef ROUND
}

/* The seed is a key whose encryptions of 0, 1, ... are the masks and, the last, the hash's key. */
static WITH_AES void aes_key_init(struct hash_key *key, const struct hash_seed *seed)
{
    aes_set_key(key, load_block((const uint8_t *)seed->words));
    __m128i *masks = (__m128i *)(void *)key->masks;
    for (int i = 0; i < HASH_MASKS; i++) masks[i] = aes_encrypt(key, _mm_cvtsi32_si128(i));
    aes_set_key(key, aes_encrypt(key, _mm_cvtsi32_si128(HASH_MASKS)));
    key->aes = true;
}

static bool has_aes(void)
{
    return __builtin_cpu_supports("aes");
}

#else

/* No key says that it is of AES. */
static uint64_t aes_bytes(const struct hash_key *key, const uint8_t *p, size_t n)
{
    return sip_bytes(&key->seed, p, n);
}

static uint64_t aes_integer(const struct hash_key *key, uint64_t integer)
{
    return sip_bytes(&key->seed, (const uint8_t *)&integer, sizeof integer);
}

static void aes_key_init(struct hash_key *key, const struct hash_seed *seed)
{
    key->seed = *seed;
}

static bool has_aes(void)
{
    return false;
}

#endif

/* --- what callers see --- */

struct hash_seed hash_seed_random(void)
{
    struct hash_seed seed;
    if (getrandom(&seed, sizeof seed, 0) == (ssize_t)sizeof seed) return seed;
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return hash_seed_of(hash_word((uint64_t)t.tv_nsec, (uint64_t)t.tv_sec));
}

struct hash_seed hash_seed_of(uint64_t bits)
{
    return (struct hash_seed){{bits, hash_word(1, bits)}};
}

void hash_key_init_sip(struct hash_key *key, const struct hash_seed *seed)
{
    *key = (struct hash_key){.seed = *seed};
}

void hash_key_init(struct hash_key *key, const struct hash_seed *seed)
{
    hash_key_init_sip(key, seed);
    if (has_aes()) aes_key_init(key, seed);
}

uint64_t hash_bytes(const struct hash_key *key, const void *p, size_t n)
{
    return key->aes ? aes_bytes(key, p, n) : sip_bytes(&key->seed, p, n);
}

uint64_t hash_integer(const struct hash_key *key, uint64_t integer)
{
    return key->aes ? aes_integer(key, integer)
                    : sip_bytes(&key->seed, (const uint8_t *)&integer, sizeof integer);
}
