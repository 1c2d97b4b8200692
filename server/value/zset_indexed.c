#include "value/zset_indexed.h"

#include "value/body.h"
#include "value/move.h"
#include "value/zset_tree.h"

struct body_zset {
    struct body_table table; /* first: body.h reads it */
    struct zset_tree tree;
};

/* An entry of the table is a struct zset_entry. */
static_assert(sizeof(struct zset_entry) == 16, "an entry of the table is two words");

static uint32_t entry_hash(const void *ctx, const void *entry)
{
    const struct body_owner *owner = ctx;
    return val_hash(owner->heap, ((const struct zset_entry *)entry)->member);
}

static void entry_moved(void *ctx, void *entry)
{
    const struct body_owner *owner = ctx;
    if (collect_in_black_scan(owner->heap, owner->obj))
        body_moved(owner->heap, ((const struct zset_entry *)entry)->member);
}

static bool entry_match(const void *needle, const void *entry)
{
    return needle_matches(needle, ((const struct zset_entry *)entry)->member);
}

static const struct table_type zset_table_type = {
    .entry_bytes = sizeof(struct zset_entry), .hash = entry_hash, .moved = entry_moved};

static struct zset_entry *zset_find(const struct obj *o, const struct needle *member)
{
    const struct body_table *b = obj_body(o);
    if (b == NULL) return NULL;
    return table_find(&b->table, &zset_table_type, member->hash, entry_match, member);
}

uint64_t zset_indexed_length(const struct obj *o)
{
    return body_table_length(o);
}

bool zset_indexed_score(const struct obj *o, const struct needle *member, double *score)
{
    const struct zset_entry *e = zset_find(o, member);
    if (e == NULL) return false;
    *score = e->score;
    return true;
}

enum status zset_indexed_put(struct heap *h, struct obj *o, uint32_t hash, struct zset_entry entry)
{
    struct zset_tree_room room;
    uint64_t number; /* of a container: what it is ordered by among equal scores */
    enum status s = STATUS_OK;
    val target = val_target(entry.member);
    if (zset_indexed_length(o) >= TABLE_ENTRIES_MAX) return STATUS_TOO_MANY;
    if (val_is_container(target)) s = ident_number(h, val_obj(target), &number);
    if (s != STATUS_OK) return s;
    struct body_zset *b = obj_body(o);
    if (b == NULL) b = body_make(h, o, sizeof *b);
    if (b == NULL) return STATUS_OOM;

    s = zset_tree_reserve(&b->tree, h, entry, &room);
    if (s != STATUS_OK) goto out;
    struct body_owner owner = {h, o};
    collect_disturb(h, o, 0); /* the insertion may split a bucket */
    struct zset_entry *slot =
        table_insert(&b->table.table, &zset_table_type, h->pool, &owner, hash);
    if (slot == NULL) {
        zset_tree_cancel(h, &room);
        s = STATUS_OOM;
        goto out;
    }
    val_stored(h, o, entry.member);
    *slot = entry;
    zset_tree_insert(&b->tree, h, &room, entry);
out:
    if (b->table.table.used == 0) body_drop(h, o, sizeof *b);
    return s;
}

/* The new entry goes into the tree before the old one leaves it: so nothing is lost when memory is
 * out. */
static enum status rescore(struct heap *h, struct obj *o, struct zset_entry *slot, double score)
{
    struct body_zset *b = obj_body(o);
    struct zset_tree_room room;
    struct zset_entry entry = {slot->member, score};
    if (!zset_tree_rescore(&b->tree, h, *slot, score)) {
        enum status s = zset_tree_reserve(&b->tree, h, entry, &room);
        if (s != STATUS_OK) return s;
        zset_tree_insert(&b->tree, h, &room, entry);
        zset_tree_remove(&b->tree, h, *slot);
    }
    slot->score = score;
    return STATUS_OK;
}

enum status zset_indexed_set(struct heap *h, struct obj *o, const struct needle *member,
                             double score, bool *created)
{
    struct zset_entry *slot = zset_find(o, member);
    struct zset_entry entry = {.score = score};
    *created = slot == NULL;
    if (slot != NULL) {
        /* 0 and -0 are equal, and the old one stays, as in Redis. */
        return slot->score != score ? rescore(h, o, slot, score) : STATUS_OK;
    }
    enum status s = needle_take_value(h, member, &entry.member);
    if (s != STATUS_OK) return s;
    s = zset_indexed_put(h, o, member->hash, entry);
    if (s != STATUS_OK) val_release(h, entry.member);
    return s;
}

void zset_indexed_restore(struct heap *h, struct obj *o, const struct needle *member, double score)
{
    struct zset_entry *slot = zset_find(o, member);
    struct body_zset *b = obj_body(o);
    ASSERT(slot != NULL);
    if (slot->score == score || rescore(h, o, slot, score) == STATUS_OK) return;
    zset_tree_shift(&b->tree, h, *slot, score);
    slot->score = score;
}

bool zset_indexed_remove(struct heap *h, struct obj *o, const struct needle *member)
{
    struct zset_entry *slot = zset_find(o, member);
    if (slot == NULL) return false;
    struct body_zset *b = obj_body(o);
    struct body_owner owner = {h, o};
    val v = slot->member;
    zset_tree_remove(&b->tree, h, *slot);
    collect_disturb(h, o, 0); /* the removal may merge a bucket */
    table_remove(&b->table.table, &zset_table_type, h->pool, &owner, member->hash, slot);
    if (b->table.table.used == 0) body_drop(h, o, sizeof *b);
    val_release(h, v); /* last: the needle may lie in it */
    return true;
}

bool zset_indexed_rank(const struct heap *h, const struct obj *o, const struct needle *member,
                       uint64_t *rank)
{
    const struct zset_entry *slot = zset_find(o, member);
    if (slot == NULL) return false;
    const struct body_zset *b = obj_body(o);
    *rank = zset_tree_rank(&b->tree, h, *slot);
    return true;
}

uint64_t zset_indexed_count(const struct obj *o, zset_tree_before *before, const void *ctx)
{
    const struct body_zset *b = obj_body(o);
    return b ? zset_tree_count(&b->tree, before, ctx) : 0;
}

void zset_indexed_seek(const struct obj *o, uint64_t rank, struct zset_tree_iter *it)
{
    const struct body_zset *b = obj_body(o);
    ASSERT(b != NULL);
    zset_tree_seek(&b->tree, rank, it);
}

struct each_call {
    zset_each *each;
    void *ctx;
};

static void call_each(void *ctx, void *entry)
{
    const struct each_call *call = ctx;
    const struct zset_entry *e = entry;
    val v = val_target(e->member);
    if (!val_is_none(v)) call->each(call->ctx, v, e->score);
}

uint64_t zset_indexed_scan(const struct obj *o, uint64_t cursor, zset_each *each, void *ctx)
{
    const struct body_table *b = obj_body(o);
    struct each_call call = {each, ctx};
    return b ? table_scan(&b->table, &zset_table_type, cursor, call_each, &call) : 0;
}

/* Adds to a copy what an entry of the original holds. */
static enum status copy_entry(struct heap *h, struct obj *to, struct zset_entry entry)
{
    val v;
    enum status s = val_share(h, entry.member, &v);
    if (s != STATUS_OK || val_is_none(v)) return s;
    s = zset_indexed_put(h, to, val_hash(h, v), (struct zset_entry){v, entry.score});
    if (s != STATUS_OK) val_release(h, v);
    return s;
}

/* In order, so that the copy's leaves are full. */
enum status zset_indexed_copy(struct heap *h, const struct obj *from, struct obj *to)
{
    struct zset_tree_iter it;
    enum status s = STATUS_OK;
    bool more = zset_indexed_length(from) > 0;
    if (more) zset_indexed_seek(from, 0, &it);
    while (more && s == STATUS_OK) {
        s = copy_entry(h, to, zset_tree_at(&it));
        more = zset_tree_next(&it);
    }
    return s;
}

struct visit_call {
    heap_visit *fn;
    void *ctx;
};

static void visit_entry(void *ctx, void *entry)
{
    const struct visit_call *call = ctx;
    val v = ((const struct zset_entry *)entry)->member;
    if (val_is_obj(v)) call->fn(call->ctx, val_obj(v));
}

uint64_t zset_indexed_visit(const struct obj *o, uint64_t cursor, uint64_t limit,
                            uint32_t slots_max, heap_visit *fn, void *ctx)
{
    struct visit_call call = {fn, ctx};
    return body_table_walk(o, &zset_table_type, cursor, limit, slots_max, visit_entry, &call);
}

static void drop_entry(void *ctx, void *entry)
{
    val_release(ctx, ((const struct zset_entry *)entry)->member);
}

/* The tree first: it borrows from the table. A leaf is as much work as a slot. */
bool zset_indexed_clear(struct heap *h, struct obj *o, uint32_t slots_max)
{
    struct body_zset *b = obj_body(o);
    if (b == NULL) return true;
    uint32_t leaves = b->tree.leaves;
    if (!zset_tree_free_step(&b->tree, h->pool, slots_max)) return false;
    if (leaves >= slots_max) return false;
    if (!table_drain(&b->table.table, &zset_table_type, h->pool, slots_max - leaves, drop_entry, h))
        return false;
    body_drop(h, o, sizeof *b);
    return true;
}

/* Cursors of a move: buckets of the table, and from here on ranks in the tree. */
#define MOVE_RANKS ((uint64_t)1 << 32)

struct moving {
    struct heap *heap;
    const struct obj *o;
};

static bool is_member(const void *member, const void *entry)
{
    return ((const struct zset_entry *)entry)->member.w == ((const val *)member)->w;
}

/* The table's entry follows a member that has moved; what it was is not looked at any more. */
static bool move_member(void *ctx, struct zset_entry *entry)
{
    const struct moving *m = ctx;
    const struct body_table *b = obj_body(m->o);
    val was = entry->member;
    if (!move_val(m->heap, &entry->member)) return false;
    struct zset_entry *slot =
        table_find(&b->table, &zset_table_type, val_hash(m->heap, entry->member), is_member, &was);
    ASSERT(slot);
    slot->member = entry->member;
    return true;
}

/* The table and then the tree: a member that moves is found from its leaf. */
bool zset_indexed_move(struct heap *h, struct obj *o, uint64_t *cursor, uint32_t slots_max)
{
    if (obj_body(o) == NULL) return true;
    if (*cursor < MOVE_RANKS) {
        if (*cursor == 0) {
            if (body_table_fit(h, o, &zset_table_type, slots_max)) return false;
            move_body(h, o, sizeof(struct body_zset));
        }
        struct body_zset *b = obj_body(o);
        *cursor = table_move_step(&b->table.table, &zset_table_type, h->pool, *cursor, slots_max,
                                  NULL, NULL);
        if (*cursor) return false;
        *cursor = MOVE_RANKS;
    }
    struct body_zset *b = obj_body(o);
    struct moving m = {h, o};
    for (uint64_t looked = 0; looked < slots_max && *cursor - MOVE_RANKS < b->table.table.used;) {
        uint64_t from = *cursor - MOVE_RANKS;
        uint64_t to = zset_tree_move(&b->tree, h->pool, from, move_member, &m);
        *cursor = MOVE_RANKS + to;
        looked += to - from + 1;
    }
    return *cursor - MOVE_RANKS >= b->table.table.used;
}

size_t zset_indexed_bytes(const struct obj *o)
{
    const struct body_zset *b = obj_body(o);
    size_t bytes = pool_good_bytes(sizeof(struct cell));
    if (b == NULL) return bytes;
    return bytes + pool_good_bytes(sizeof *b) + table_bytes(&b->table.table, &zset_table_type) +
           zset_tree_bytes(&b->tree);
}

bool zset_indexed_check(const struct heap *h, const struct obj *o)
{
    const struct body_zset *b = obj_body(o);
    if (b == NULL) return (o->flags & OBJ_VISIBLE) == 0;
    const struct table *t = &b->table.table;
    struct body_owner owner = {(struct heap *)(uintptr_t)h, NULL}; // only entry_hash reads it
    if (t->used == 0) return false;                                /* 3 */
    if (!table_check(t, &zset_table_type, &owner)) return false;
    if (!zset_tree_check(&b->tree, h, t->used)) return false; /* 2 */
    struct zset_tree_iter it;
    zset_indexed_seek(o, 0, &it);
    do { /* 1: as many entries, none twice, and each is in the table */
        struct zset_entry entry = zset_tree_at(&it);
        struct needle n = needle_of_val(h, entry.member);
        const struct zset_entry *slot = zset_find(o, &n);
        if (slot == NULL || slot->member.w != entry.member.w) return false;
        if (memcmp(&slot->score, &entry.score, sizeof slot->score) != 0) return false;
        if (val_is_container(entry.member) && (o->flags & OBJ_VISIBLE) == 0) return false;
        if (val_is_weak(entry.member) && !obj_words(o)->weakly) return false;
    } while (zset_tree_next(&it));
    return true;
}
