/*
 * Declarations shared by keyspace.c (single names), keyspace_bind.c (binding), keyspace_many.c
 * (flushing, steps, walks, the check), keyspace_move.c (moves) and keyspace_report.c (effects). No
 * other file includes it. keyspace.h has invariants, ownership and cost.
 */
#ifndef HEAPD_STORE_KEYSPACE_PARTS_H
#define HEAPD_STORE_KEYSPACE_PARTS_H

#include "store/keyspace.h"

struct keyspace_debris {
    struct keyspace_debris *next;
    struct table names;
    struct expiry expiry;
    struct binding_index known;
};

/* What a key is looked up with. */
struct key_needle {
    struct view key;
    uint32_t hash;
};

/* The table's context is the keyspace. */
extern const struct table_type keyspace_names_type;

static inline struct entry *entry_in(const void *slot)
{
    return *(struct entry *const *)slot;
}

/* Where the table has the entry of a key, or NULL. */
struct entry **keyspace_slot(const struct keyspace *ks, const struct key_needle *n);
/* Where the table has this very entry, or NULL. */
struct entry **keyspace_slot_of(const struct keyspace *ks, const struct entry *e);
struct key_needle keyspace_needle(const struct keyspace *ks, struct view key);
/* A new entry, in no table and no queue; NULL: no memory. */
struct entry *keyspace_make_entry(struct keyspace *ks, struct view key,
                                  const struct entry_content *c, bool expires) MUST_USE;
/* Puts a complete entry into the table: the last step that can fail. */
bool keyspace_insert(struct keyspace *ks, struct entry *e, uint32_t hash) MUST_USE;
/* Takes an entry out of the table. */
void keyspace_extract(struct keyspace *ks, struct entry *e);
/* An entry has got its content: a weak reference knows its name. */
void keyspace_stored(struct entry *e);
/* `to` has become the entry of the name: the table and the queue follow, and what is known of it,
 * if it refers to what it referred to. */
void keyspace_moved(struct keyspace *ks, struct entry **slot, const struct entry *from,
                    struct entry *to);
/* The name is not bound to o (which may be NULL) any more. */
void keyspace_forget(struct keyspace *ks, const struct entry *e, const struct obj *o);
/* Frees an entry that no table has; what it referred to is the caller's. */
void keyspace_free_entry(struct keyspace *ks, struct entry *e);
/* A name lets go of what it referred to; o may be NULL. */
void keyspace_drop(struct keyspace *ks, struct obj *o);
/* Whether the name's time has come (now_ms). */
bool keyspace_is_due(const struct keyspace *ks, const struct entry *e);
/* Without a report: */
void keyspace_drop_expiry(struct keyspace *ks, struct entry *e);

/* Effects, where somebody listens. The name is bound to what the entry says; it goes; its expiry is
 * what the entry says. */
static inline bool keyspace_reports(const struct keyspace *ks)
{
    return UNLIKELY(ks->h->effects.on);
}
void keyspace_report_bind(struct keyspace *ks, const struct entry *e);
void keyspace_report_unbind(struct keyspace *ks, const struct entry *e, enum name_gone why);
void keyspace_report_expiry(struct keyspace *ks, const struct entry *e);

/* Neither due nor gone: what a lookup finds. */
bool keyspace_is_live(const struct keyspace *ks, const struct entry *e);

#endif
