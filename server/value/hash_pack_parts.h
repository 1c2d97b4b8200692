/*
 * What the files of the packed hash share, and nobody else: how its body is laid out anew, in place
 * (hash_pack_place.c) or for another sequence of fields (hash_pack_change.c). See hash_pack.h.
 *
 * Invariants: those of hash_pack.h hold when hash_pack_set, hash_pack_fill and hash_pack_delete
 * return; between the calls here the directory may lag behind. Ownership: as there. Cost: a splice
 * moves what follows it; the offsets are written anew in one walk.
 */
#ifndef HEAPD_VALUE_HASH_PACK_PARTS_H
#define HEAPD_VALUE_HASH_PACK_PARTS_H

#include "value/hash_pack.h"

static inline uint64_t hash_word_sized(uint64_t word, size_t bytes)
{
    return (word & ((UINT64_C(1) << 48) - 1)) | (uint64_t)(bytes / 8) << 48;
}

/* A word but for the bytes and the references. */
static inline uint64_t hash_word_own(uint32_t count, uint32_t sequence)
{
    return HASH_PACK_OWN | (uint64_t)count << 3 | (uint64_t)sequence << 16;
}

static inline uint64_t hash_word_shaped(const struct shape *s)
{
    return (uint64_t)(uintptr_t)s;
}

static inline void hash_body_set(struct obj *o, void *body)
{
    ((struct cell *)o)->body = body;
    o->flags |= OBJ_PACKED;
}

static inline size_t hash_head_bytes(bool words)
{
    return sizeof(uint64_t) + (words ? sizeof(union gc_words) : 0);
}

static inline bool hash_in_is_container(const struct hash_in *in)
{
    return in->ref && obj_is_container(in->ref);
}

/* Whether the body has to have the collector's words once this is stored. */
static inline bool hash_wants_words(const struct obj *o, const struct hash_in *in)
{
    return (o->flags & OBJ_VISIBLE) || (in && hash_in_is_container(in));
}

/* Writes an entry into a body that is the hash's already, and tells it of a reference. */
uint8_t *hash_pack_store(struct heap *h, struct obj *o, uint8_t *at, const struct hash_in *in);
/* Where all entries end. */
const uint8_t *hash_pack_end(const struct obj *o);

struct hash_gap {
    const uint8_t *at; /* an entry, or the end */
    size_t old_bytes, bytes;
    bool words;
    uint64_t word; /* of the hash as it will be, but for the bytes and the references */
};

/*
 * Puts `bytes` for the caller to fill in the place of `old_bytes`, in the same body or in another
 * of a better size; *out is where they are now. The word is written; a directory of the same length
 * is kept as it was, another is the caller's to write. On failure nothing has changed; it does not
 * fail when the hash becomes smaller and keeps its head. STATUS_TOO_MANY: too large for one block.
 */
enum status hash_pack_splice(struct heap *h, struct obj *o, struct hash_gap gap,
                             uint8_t **out) MUST_USE;
/* Stores in the place of an entry. */
enum status hash_pack_replace(struct heap *h, struct obj *o, const uint8_t *at,
                              const struct hash_in *in) MUST_USE;

/* What follows an entry at `offset` has moved: the groups that begin there, too. */
void hash_pack_offsets_move(struct obj *o, size_t offset, size_t old_bytes, size_t bytes);
void hash_pack_directory_write(const struct heap *h, struct obj *o);

/* The tags of a hash with its own fields, while its body changes. */
struct hash_tags {
    uint8_t at[HASH_PACK_FIELDS_MAX + 1];
    uint32_t n;
};

void hash_tags_save(const struct obj *o, struct hash_tags *t);
/* Writes them back, as the caller has changed them, with the offsets. */
void hash_tags_put_back(const struct heap *h, struct obj *o, const struct hash_tags *t);

#endif
