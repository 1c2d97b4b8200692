/* The effects of the keyspace. Names that FLUSHALL dropped report nothing: they went with the
 * flush.
 */
#include "store/keyspace_parts.h"
#include "value/report.h"

static_assert((int)EFFECT_NEVER == (int)KEYSPACE_NEVER, "no TTL is written in one way");

void keyspace_report_bind(struct keyspace *ks, const struct entry *e)
{
    val stored = entry_stored(e);
    effect_put(&ks->h->effects, &(struct effect){.op = EFFECT_BIND,
                                                 .key = entry_key(e),
                                                 .value = report_value(&stored),
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
