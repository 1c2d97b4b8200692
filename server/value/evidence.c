#include "value/evidence.h"

#include "value/str.h"

/* Whether the filter has the hash; it has from now on. */
static bool seen_before(struct evidence_filter *f, uint32_t hash)
{
    uint32_t *at = &f->hashes[hash % EVIDENCE_FILTER_HASHES];
    bool seen = *at == hash;
    *at = hash;
    return seen;
}

static void close_window(struct evidence *ev)
{
    ev->pause = (uint16_t)(ev->pause ? ev->pause * 2 : EVIDENCE_WINDOW);
    if (ev->pause > EVIDENCE_PAUSE_MAX) ev->pause = EVIDENCE_PAUSE_MAX;
    ev->verdict = EVIDENCE_IS_RARE;
    if (ev->hits >= EVIDENCE_SOME) {
        ev->verdict = ev->hits >= EVIDENCE_OFTEN ? EVIDENCE_IS_OFTEN : EVIDENCE_IS_SOME;
        ev->pause = 0;
    }
    ev->skip = ev->pause;
    ev->asked = ev->hits = 0;
}

static void answer(struct evidence *ev, bool hit)
{
    ev->asked_all++;
    ev->hits_all += hit;
    ev->hits = (uint8_t)(ev->hits + hit);
    if (++ev->asked == EVIDENCE_WINDOW) close_window(ev);
}

static struct obj *intern(struct heap *h, struct view text, uint32_t hash)
{
    struct str *s = str_new(h, text.n);
    if (!s) return NULL;
    memcpy(s->bytes, text.p, text.n);
    s->hash = hash;
    if (!intern_add(h, &s->head, hash)) return &s->head;
    rc_dec(h, &s->head);
    return NULL;
}

struct obj *evidence_ask(struct heap *h, struct evidence *ev, struct view text)
{
    DASSERT(ev->skip == 0);
    uint32_t hash = needle_of_text(h, text).hash;
    struct obj *known = intern_find(h, text, hash);
    bool seen = seen_before(&h->values->seen, hash) || known;
    bool wanted = seen || ev->verdict == EVIDENCE_IS_OFTEN;
    answer(ev, seen);
    if (!known) return wanted ? intern(h, text, hash) : NULL;
    rc_inc(h, known);
    return known;
}

const char *evidence_verdict_name(const struct evidence *ev)
{
    switch ((enum evidence_verdict)ev->verdict) {
    case EVIDENCE_IS_SOME: return "some";
    case EVIDENCE_IS_OFTEN: return "often";
    case EVIDENCE_IS_RARE: break;
    }
    return "rare";
}

bool evidence_check(const struct evidence *ev)
{
    if (ev->hits > ev->asked || ev->asked >= EVIDENCE_WINDOW) return false;   /* 1 */
    if (ev->skip > ev->pause || ev->pause > EVIDENCE_PAUSE_MAX) return false; /* 2 */
    return (ev->pause == 0) == (ev->verdict != EVIDENCE_IS_RARE) && ev->hits_all <= ev->asked_all;
}
