/* Binding: everything that gives a name a value. */
#include "store/keyspace_parts.h"

/* --- one name --- */

static enum status root_add(struct keyspace *ks, struct obj *o)
{
    return o ? rc_root_add(ks->h, o) : STATUS_OK;
}

static void root_drop(struct keyspace *ks, struct obj *o)
{
    if (o) rc_root_drop(ks->h, o);
}

/* A new name. On failure nothing changed, and what the content refers to is still the caller's. */
static struct entry *bind_new(struct keyspace *ks, const struct key_needle *n,
                              const struct entry_content *c, int64_t expires_ms)
{
    bool expires = expires_ms != KEYSPACE_NEVER;
    struct entry *e = keyspace_make_entry(ks, n->key, c, expires);
    if (!e) return NULL;
    if (root_add(ks, c->o)) goto free_entry;
    if (expires && expiry_set(&ks->expiry, ks->h->mem, e, expires_ms)) goto drop_root;
    if (!keyspace_insert(ks, e, n->hash)) goto drop_expiry;
    keyspace_stored(e);
    return e;
drop_expiry:
    keyspace_drop_expiry(ks, e);
drop_root:
    root_drop(ks, c->o);
free_entry:
    keyspace_free_entry(ks, e);
    return NULL;
}

/* Everything that binding a name anew may fail at: a root, room in the queue, and in *out a new
 * entry, if the old one is not of the right size. */
static enum status prepare(struct keyspace *ks, struct entry *e, const struct entry_content *c,
                           bool expires, struct entry **out)
{
    struct view key = entry_key(e);
    enum status s = root_add(ks, c->o);
    if (s) return s;
    if (expires && !entry_place(e)) s = expiry_reserve(&ks->expiry, ks->h->mem);
    *out = e;
    if (!s && entry_bytes_for(key.n, c, expires) != entry_bytes(e)) {
        *out = keyspace_make_entry(ks, key, c, expires);
        if (!*out) s = STATUS_OOM;
    }
    if (s) root_drop(ks, c->o);
    return s;
}

/* A name that is bound already; its entry may move. On failure nothing changed, and what the
 * content refers to is still the caller's. `slot` may be NULL: it is looked for when it is needed.
 */
static enum status bind_anew(struct keyspace *ks, struct entry **slot, struct entry **e,
                             const struct entry_content *c, struct keyspace_bind options)
{
    struct entry *old = *e, *now;
    if (options.expires_ms == KEYSPACE_NEVER && entry_overwrite(old, c)) {
        keyspace_touch(ks, old);
        if (keyspace_reports(ks)) keyspace_report_bind(ks, old);
        return STATUS_OK;
    }
    struct obj *was = entry_referred(old);
    bool sets = options.expires_ms != KEYSPACE_NEVER;
    bool expires = sets || (options.keep_ttl && entry_place(old));
    enum status s = prepare(ks, old, c, expires, &now);
    if (s) return s;

    if (!expires) keyspace_drop_expiry(ks, old);
    if (now == old) {
        entry_write(old, c, expires);
    } else {
        if (entry_place(old)) entry_set_place(now, entry_place(old));
        keyspace_moved(ks, slot ? slot : keyspace_slot_of(ks, old), old, now);
    }
    keyspace_stored(now);
    if (sets) {
        s = expiry_set(&ks->expiry, ks->h->mem, now, options.expires_ms);
        ASSERT(!s);
    }
    entry_set_clock(now, access_again(&ks->access, entry_clock(old)));
    if (was != c->o) keyspace_forget(ks, old, was);
    if (now != old) keyspace_free_entry(ks, old);
    if (keyspace_reports(ks)) keyspace_report_bind(ks, now); /* before what follows from the drop */
    keyspace_drop(ks, was);
    *e = now;
    return STATUS_OK;
}

static enum status bind(struct keyspace *ks, struct view key, const struct entry_content *c,
                        struct keyspace_bind options, struct entry **out)
{
    if (key.n > KEYSPACE_KEY_BYTES_MAX) return STATUS_TOO_LONG;
    struct key_needle n =
        options.hash ? (struct key_needle){key, options.hash} : keyspace_needle(ks, key);
    DASSERT(n.hash == keyspace_hash(ks, key));
    struct entry **slot = keyspace_slot(ks, &n), *e;
    enum status s = STATUS_OK;
    if (slot) {
        e = *slot;
        bool due = keyspace_is_due(ks, e);
        if (due) options.keep_ttl = false;
        s = bind_anew(ks, slot, &e, c, options);
        ks->expired += due && !s;
    } else {
        e = bind_new(ks, &n, c, options.expires_ms);
        if (!e) s = STATUS_OOM;
        if (!s && keyspace_reports(ks)) keyspace_report_bind(ks, e);
    }
    if (!s && out) *out = e;
    return s;
}

/* A text as it is to be bound: in the entry, or an object, counted once. */
static enum status content_of_text(struct keyspace *ks, struct view text, struct entry_content *c)
{
    val v;
    *c = (struct entry_content){.o = evidence_intern(ks->h, &ks->evidence, text)};
    if (c->o) return STATUS_OK;
    if (text.n <= ENTRY_TEXT_BYTES_MAX) {
        c->item = pack_item_of_text(text);
        return STATUS_OK;
    }
    enum status s = val_of_text(ks->h, text, &v);
    if (!s) c->o = val_obj(v);
    return s;
}

/* Gives back the count that came with a content that could not be bound. */
static enum status give_back(struct keyspace *ks, const struct entry_content *c, enum status s)
{
    if (s && c->o) rc_dec(ks->h, c->o);
    return s;
}

enum status keyspace_bind_take(struct keyspace *ks, struct view key, val v,
                               struct keyspace_bind options, struct entry **out)
{
    struct entry_content c = entry_content_of_val(&v);
    return give_back(ks, &c, bind(ks, key, &c, options, out));
}

enum status keyspace_bind_text(struct keyspace *ks, struct view key, struct view text,
                               struct keyspace_bind options, struct entry **out)
{
    struct entry_content c;
    enum status s = content_of_text(ks, text, &c);
    return s ? s : give_back(ks, &c, bind(ks, key, &c, options, out));
}

enum status keyspace_bind_integer(struct keyspace *ks, struct view key, int64_t n,
                                  struct keyspace_bind options, struct entry **out)
{
    struct entry_content c = {.item = pack_item_of_integer(n)};
    return bind(ks, key, &c, options, out);
}

/* Another value in the place of the old one; the TTL stays. */
static enum status rebind(struct keyspace *ks, struct entry **e, const struct entry_content *c)
{
    struct keyspace_bind options = {.keep_ttl = true, .expires_ms = KEYSPACE_NEVER};
    return give_back(ks, c, bind_anew(ks, NULL, e, c, options));
}

enum status keyspace_rebind_take(struct keyspace *ks, struct entry **e, val v)
{
    struct entry_content c = entry_content_of_val(&v);
    return rebind(ks, e, &c);
}

enum status keyspace_rebind_text(struct keyspace *ks, struct entry **e, struct view text)
{
    struct entry_content c;
    enum status s = content_of_text(ks, text, &c);
    return s ? s : rebind(ks, e, &c);
}

enum status keyspace_rebind_integer(struct keyspace *ks, struct entry **e, int64_t n)
{
    struct entry_content c = {.item = pack_item_of_integer(n)};
    return rebind(ks, e, &c);
}

enum status keyspace_share_value(struct keyspace *ks, struct entry **e, val *out)
{
    val v = entry_stored(*e);
    if (!val_is_bytes(v)) {
        *out = val_target(v);
        return STATUS_OK;
    }
    uint32_t clock = entry_clock(*e);
    enum status s = val_keep(ks->h, v, out);
    if (s) return s;
    struct entry_content c = {.o = val_obj(*out)};
    bool on = effects_pause(&ks->h->effects); /* the value stays the same: that is no effect */
    s = rebind(ks, e, &c);
    effects_resume(&ks->h->effects, on);
    if (!s) entry_set_clock(*e, clock);
    return s;
}

enum status keyspace_rename(struct keyspace *ks, struct entry *e, struct view to)
{
    DASSERT(!view_eq(entry_key(e), to));
    if (to.n > KEYSPACE_KEY_BYTES_MAX) return STATUS_TOO_LONG;
    struct key_needle n = keyspace_needle(ks, to);
    val v = entry_stored(e);
    struct entry_content c = entry_content_of_val(&v);
    struct entry *target = keyspace_make_entry(ks, to, &c, entry_place(e) != 0);
    if (!target) return STATUS_OOM;
    struct entry **slot = keyspace_slot(ks, &n);
    if (!slot && !keyspace_insert(ks, target, n.hash)) {
        keyspace_free_entry(ks, target);
        return STATUS_OOM;
    }
    struct obj *was = NULL;
    if (slot) {
        was = entry_referred(*slot);
        ks->expired += keyspace_is_due(ks, *slot);
        keyspace_drop_expiry(ks, *slot);
        keyspace_forget(ks, *slot, was);
        keyspace_free_entry(ks, *slot);
        *slot = target;
    }
    entry_set_clock(target, entry_clock(e));
    if (entry_place(e)) {
        entry_set_place(target, entry_place(e));
        expiry_moved(&ks->expiry, target);
    }
    if (c.o) binding_moved(&ks->known, c.o, e, target);
    keyspace_stored(target);
    if (keyspace_reports(ks)) {
        keyspace_report_bind(ks, target);
        keyspace_report_unbind(ks, e, NAME_RENAMED);
    }
    keyspace_extract(ks, e);
    keyspace_free_entry(ks, e);
    if (c.o) rc_moved(ks->h, c.o);
    keyspace_drop(ks, was);
    return STATUS_OK;
}

/* --- several names at once --- */

static enum status stage(struct keyspace *ks, struct view key, const struct entry_content *c,
                         struct keyspace_staged *out)
{
    if (key.n > KEYSPACE_KEY_BYTES_MAX) return STATUS_TOO_LONG;
    struct key_needle n = keyspace_needle(ks, key);
    *out = (struct keyspace_staged){.hash = n.hash, .fresh = !keyspace_slot(ks, &n)};
    if (out->fresh) {
        out->e = bind_new(ks, &n, c, KEYSPACE_NEVER);
        return out->e ? STATUS_OK : STATUS_OOM;
    }
    out->e = keyspace_make_entry(ks, key, c, false);
    if (!out->e) return STATUS_OOM;
    enum status s = root_add(ks, c->o);
    if (s)
        keyspace_free_entry(ks, out->e);
    else
        keyspace_stored(out->e);
    return s;
}

enum status keyspace_stage_take(struct keyspace *ks, struct view key, val v,
                                struct keyspace_staged *out)
{
    struct entry_content c = entry_content_of_val(&v);
    return give_back(ks, &c, stage(ks, key, &c, out));
}

enum status keyspace_stage_text(struct keyspace *ks, struct view key, struct view text,
                                struct keyspace_staged *out)
{
    struct entry_content c;
    enum status s = content_of_text(ks, text, &c);
    return s ? s : give_back(ks, &c, stage(ks, key, &c, out));
}

void keyspace_unstage(struct keyspace *ks, const struct keyspace_staged *staged)
{
    struct obj *o = entry_referred(staged->e);
    if (staged->fresh) {
        keyspace_unbind(ks, staged->e, NAME_ROLLED_BACK);
        return;
    }
    keyspace_forget(ks, staged->e, o);
    keyspace_free_entry(ks, staged->e);
    keyspace_drop(ks, o);
}

void keyspace_commit(struct keyspace *ks, const struct keyspace_staged *staged)
{
    if (staged->fresh) {
        if (keyspace_reports(ks)) keyspace_report_bind(ks, staged->e);
        return;
    }
    struct key_needle n = {entry_key(staged->e), staged->hash};
    struct entry **slot = keyspace_slot(ks, &n);
    ASSERT(slot);
    struct entry *old = *slot;
    struct obj *was = entry_referred(old);
    ks->expired += keyspace_is_due(ks, old);
    entry_set_clock(staged->e, access_again(&ks->access, entry_clock(old)));
    keyspace_drop_expiry(ks, old);
    keyspace_forget(ks, old, was);
    *slot = staged->e;
    if (keyspace_reports(ks)) keyspace_report_bind(ks, staged->e);
    keyspace_free_entry(ks, old);
    keyspace_drop(ks, was);
}
