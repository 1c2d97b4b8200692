/* The effects of the keyspace. Names that FLUSHALL dropped report nothing: they went with the
 * flush.
 */
#include "store/keyspace_parts.h"
#include "value/report.h"

static_assert((int)EFFECT_NEVER == (int)KEYSPACE_NEVER, "no TTL is written in one way");

/* Borrows from the entry, or from *v. */
static struct effect_value stored(const struct entry *e, struct view key, val *v)
{
    const uint8_t *at = (const uint8_t *)key.p + key.n;
    if (!entry_refers(e) && pack_kind(at) == PACK_TEXT) return report_of_text(pack_text(at));
    *v = entry_stored(e);
    return report_value(v);
}

void keyspace_report_bind(struct keyspace *ks, const struct entry *e)
{
    val v;
    struct view key = entry_key(e);
    effect_put(&ks->h->effects, &(struct effect){.op = EFFECT_BIND,
                                                 .key = key,
                                                 .value = stored(e, key, &v),
                                                 .when_ms = keyspace_expires_ms(ks, e)});
}

void keyspace_report_unbind(struct keyspace *ks, const struct entry *e, enum name_gone why)
{
    if (why == NAME_ROLLED_BACK) return;
    effect_put(&ks->h->effects,
               &(struct effect){.op = EFFECT_UNBIND, .key = entry_key(e), .number = why});
}

void keyspace_report_expiry(struct keyspace *ks, const struct entry *e)
{
    effect_put(&ks->h->effects, &(struct effect){.op = EFFECT_EXPIRY,
                                                 .key = entry_key(e),
                                                 .when_ms = keyspace_expires_ms(ks, e)});
}
