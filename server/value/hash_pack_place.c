/* Packed hashes that change in place. */
#include "value/hash_pack_parts.h"

uint8_t *hash_pack_store(struct heap *h, struct obj *o, uint8_t *at, const struct hash_in *in)
{
    if (!in->ref) return pack_put(at, &in->item);
    rc_stored(h, o, in->ref);
    *hash_pack_word(o) |= HASH_PACK_REFS; /* where it is now: the hash may have become visible */
    return pack_put_ref(at, in->ref);
}

const uint8_t *hash_pack_end(const struct obj *o)
{
    const uint64_t *word = hash_pack_word(o);
    const uint8_t *last = hash_pack_at(word, hash_pack_count(*word) - 1);
    return pack_skip(last, *word & HASH_PACK_OWN ? 2 : 1);
}

enum status hash_pack_splice(struct heap *h, struct obj *o, struct hash_gap gap, uint8_t **out)
{
    uint64_t *word = hash_pack_word(o), refs = *word & HASH_PACK_REFS;
    size_t bytes = hash_pack_body_bytes(*word);
    size_t old_directory = hash_pack_directory_bytes(*word),
           directory = hash_pack_directory_bytes(gap.word);
    const uint8_t *entries = hash_pack_entries(word);
    size_t before = (size_t)(gap.at - entries),
           after = (size_t)(hash_pack_end(o) - gap.at) - gap.old_bytes;
    bool had_words = (o->flags & OBJ_VISIBLE) != 0;
    size_t needed = hash_head_bytes(gap.words) + directory + before + gap.bytes + after;
    size_t good = pool_good_bytes(needed);
    bool fits = gap.words == had_words && needed <= bytes;
    if (!fits && good > HASH_PACK_BYTES_MAX) return STATUS_TOO_MANY;
    uint8_t *body = NULL;
    if (!fits || (needed <= bytes - bytes / 4 && good < bytes)) body = pool_alloc(h->pool, good);
    if (!body && !fits) return STATUS_OOM;
    if (!body) {
        *out = (uint8_t *)(word + 1) + directory + before;
        if (directory > old_directory) memmove(*out + gap.bytes, gap.at + gap.old_bytes, after);
        if (directory != old_directory) memmove(*out - before, entries, before);
        if (directory <= old_directory) memmove(*out + gap.bytes, gap.at + gap.old_bytes, after);
        *word = hash_word_sized(gap.word | refs, bytes);
        return STATUS_OK;
    }
    uint8_t *at = body + hash_head_bytes(gap.words);
    memset(body, 0, sizeof(union gc_words));
    if (had_words) memcpy(body, obj_body(o), sizeof(union gc_words));
    ((uint64_t *)(void *)at)[-1] = hash_word_sized(gap.word | refs, good);
    if (directory == old_directory) memcpy(at, word + 1, directory);
    *out = at + directory + before;
    memcpy(at + directory, entries, before);
    memcpy(*out + gap.bytes, gap.at + gap.old_bytes, after);
    pool_free(h->pool, obj_body(o), bytes);
    hash_body_set(o, body);
    return STATUS_OK;
}

void hash_pack_offsets_move(struct obj *o, size_t offset, size_t old_bytes, size_t bytes)
{
    const uint64_t *word = hash_pack_word(o);
    uint16_t *offsets = hash_pack_offsets(word);
    for (uint32_t g = hash_pack_groups(*word); g > 0 && offsets[g - 1] > offset; g--)
        offsets[g - 1] = (uint16_t)(offsets[g - 1] + bytes - old_bytes);
}

static void offsets_write(struct obj *o)
{
    const uint64_t *word = hash_pack_word(o);
    uint32_t entries = *word & HASH_PACK_OWN ? 2 * HASH_PACK_OWN_GROUP : HASH_PACK_SHAPED_GROUP;
    const uint8_t *first = hash_pack_entries(word), *at = first;
    for (uint32_t g = 0; g < hash_pack_groups(*word); g++) {
        at = pack_skip(at, entries);
        hash_pack_offsets(word)[g] = (uint16_t)(at - first);
    }
}

void hash_pack_directory_write(const struct heap *h, struct obj *o)
{
    const uint64_t *word = hash_pack_word(o);
    struct hash_pack_iter it;
    offsets_write(o);
    if (hash_pack_tags(*word) == 0) return;
    hash_pack_begin(o, &it);
    while (hash_pack_next(&it))
        hash_pack_tags_at(word)[it.position] = hash_pack_tag(val_hash(h, it.field));
}

void hash_tags_save(const struct obj *o, struct hash_tags *t)
{
    const uint64_t *word = hash_pack_word(o);
    t->n = hash_pack_tags(*word);
    memcpy(t->at, hash_pack_tags_at(word), t->n);
}

void hash_tags_put_back(const struct heap *h, struct obj *o, const struct hash_tags *t)
{
    const uint64_t *word = hash_pack_word(o);
    if (t->n != hash_pack_tags(*word)) {
        hash_pack_directory_write(h, o);
        return;
    }
    offsets_write(o);
    memcpy(hash_pack_tags_at(word), t->at, t->n);
}

enum status hash_pack_replace(struct heap *h, struct obj *o, const uint8_t *at,
                              const struct hash_in *in)
{
    const uint64_t *word = hash_pack_word(o);
    struct hash_gap gap = {at, (size_t)(pack_next(at) - at), hash_in_bytes(in),
                           hash_wants_words(o, in), *word};
    struct obj *old = pack_kind(at) == PACK_REF ? pack_get_ref(at) : NULL;
    size_t offset = (size_t)(at - hash_pack_entries(word));
    bool had_words = (o->flags & OBJ_VISIBLE) != 0;
    uint8_t *to = hash_pack_entries(word) + offset;
    if (gap.old_bytes != gap.bytes || gap.words != had_words) {
        enum status s = hash_pack_splice(h, o, gap, &to);
        if (s) return s;
    }
    hash_pack_store(h, o, to, in);
    hash_pack_offsets_move(o, offset, gap.old_bytes, gap.bytes);
    if (old) rc_dec(h, old);
    return STATUS_OK;
}
