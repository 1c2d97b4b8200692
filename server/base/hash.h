/*
 * The hashes of all tables. There are two kinds.
 *
 * hash_bytes and hash_integer are keyed with 128 secret bits. They hash everything that clients
 * choose: keys, fields, members, values. SSCAN's cursors reveal the bucket of a member, so the hash
 * must hide its key from clients that see some 20 bits of many hashes of texts they chose. A mix of
 * word and seed does not (it can be inverted), and XXH3 does not promise it.
 *
 *   A text of at most 16 bytes, or an integer:  AES-128(block ^ mask of its length, or of integers)
 *   A longer text:  s = mask; s = four rounds of AES without a key (s ^ block), block after block;
 *                   AES-128(s ^ the last 16 bytes ^ mask of the length modulo 16)
 *
 * The key and the masks are drawn from the seed by AES-128, so the first case is a pseudorandom
 * function if AES-128 is one. The second is the construction of Pelican MAC (Daemen and Rijmen,
 * 2005), which has no proof: equal states would need a differential through four rounds, which
 * activates at least 25 S-boxes (a trail has at most 2^-150), and the published attacks need more
 * than 2^80 hashes. Processors without AES instructions use SipHash-1-3, which has no proof either
 * and no known attack better than guessing when 64 bits are shown; here 32 are used.
 *
 * No key hides a collision that a client has seen. A client that learns the buckets of M members
 * from SSCAN finds sqrt(6 M) of them that share a bucket in a set of their own. A chain of those
 * costs fewer comparisons than the M commands did.
 *
 * hash_word has no key and costs five instructions. It hashes numbers that clients do not choose:
 * addresses, identities, handles. A client can only choose which of them stay; to bring n of them
 * into one bucket it must first make n^2 / 6 of them.
 *
 * Ownership: a key is owned by struct heap; it never leaves the process.
 * Cost: 27 instructions for 16 bytes by AES, 7 for each further 16; about 110 by SipHash-1-3, and
 * 15 for each further 8. Both take 4 to 5 ns more than XXH3 would for a short text, and four times
 *    as long for a long one.
 */
#ifndef HEAPD_BASE_HASH_H
#define HEAPD_BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HASH_ROUNDS = 10, /* of AES-128 */
    HASH_BLOCK_BYTES = 16,
    HASH_MASK_LONG = HASH_BLOCK_BYTES + 1, /* before it: texts of 0 to 16 bytes */
    HASH_MASK_INTEGER = HASH_MASK_LONG + HASH_BLOCK_BYTES,
    HASH_MASK_STATE, /* what a longer text begins with */
    HASH_MASKS,
};

struct hash_seed {
    uint64_t words[2];
};

struct hash_key {
    /* Of AES: the keys of the rounds, and the masks. */
    _Alignas(HASH_BLOCK_BYTES) uint8_t rounds[HASH_ROUNDS + 1][HASH_BLOCK_BYTES];
    _Alignas(HASH_BLOCK_BYTES) uint8_t masks[HASH_MASKS][HASH_BLOCK_BYTES];
    struct hash_seed seed; /* of SipHash */
    bool aes;
};

/* Bytes that nobody can predict (getrandom). */
struct hash_seed hash_seed_random(void);
/* The seed that 64 bits stand for. */
struct hash_seed hash_seed_of(uint64_t bits);

/* The key of a seed, for AES instructions where the processor has them. */
void hash_key_init(struct hash_key *key, const struct hash_seed *seed);
/* The same for SipHash-1-3. */
void hash_key_init_sip(struct hash_key *key, const struct hash_seed *seed);

uint64_t hash_bytes(const struct hash_key *key, const void *p, size_t n);
uint64_t hash_integer(const struct hash_key *key, uint64_t integer);

/* A full avalanche (the finalizer of MurmurHash3), and no secret. */
static inline uint64_t hash_word(uint64_t tweak, uint64_t w)
{
    w ^= tweak;
    w ^= w >> 33;
    w *= 0xff51afd7ed558ccdULL;
    w ^= w >> 33;
    w *= 0xc4ceb9fe1a85ec53ULL;
    return w ^ (w >> 33);
}

#endif
