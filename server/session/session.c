#include "session/session.h"

#include "base/panic.h"

struct holding {
    heap_hold_visit *visit;
    void *ctx;
};

static void show_handle(void *ctx, uint64_t number, val v)
{
    (void)number;
    const struct holding *holding = ctx;
    if (val_is_obj(v)) holding->visit(holding->ctx, val_obj(v), HEAP_HOLD_ROOT);
}

static void each_held(void *self, heap_hold_visit *visit, void *ctx)
{
    const struct sessions *ss = self;
    struct holding holding = {visit, ctx};
    for (const struct session *s = ss->first; s; s = s->next)
        handles_walk(&s->handles, show_handle, &holding);
    for (uint32_t i = 0; i < ss->buried_count; i++)
        handles_walk(&ss->buried[i], show_handle, &holding);
}

void sessions_init(struct sessions *ss, struct heap *h)
{
    *ss = (struct sessions){.h = h, .next_id = 1};
    ss->holder = (struct heap_holder){.name = "handles", .each = each_held, .self = ss};
    heap_add_holder(h, &ss->holder);
    usages_init(&ss->usages, h);
}

void sessions_fini(struct sessions *ss)
{
    DASSERT(ss->count == 0);
    usages_fini(&ss->usages);
    while (sessions_step(ss, UINT32_MAX)) {
    }
    mem_free(ss->h->mem, ss->buried, ss->buried_slots * sizeof *ss->buried);
    ss->buried = NULL;
    ss->buried_slots = 0;
}

/* A grave for each open session, and one more for a RESET that comes before the graves before it
 * are empty. */
static bool reserve_graves(struct sessions *ss, uint64_t graves)
{
    if (graves <= ss->buried_slots) return true;
    uint32_t slots = ss->buried_slots ? ss->buried_slots * 2 : 16;
    struct handles *buried = mem_realloc(ss->h->mem, ss->buried, ss->buried_slots * sizeof *buried,
                                         slots * sizeof *buried);
    if (!buried) return false;
    ss->buried = buried;
    ss->buried_slots = slots;
    return true;
}

static void protocol_init(struct session *s)
{
    s->protocol = 2;
    s->authenticated = false;
    s->refused_multi = s->refused_select = false;
    s->name[0] = 0;
}

enum status session_open(struct sessions *ss, struct session *s, int64_t now_ns)
{
    if (!reserve_graves(ss, ss->count + ss->buried_count + 1)) return STATUS_OOM;
    *s = (struct session){.id = ss->next_id++, .created_ns = now_ns, .active_ns = now_ns, .fd = -1};
    protocol_init(s);
    handles_init(&s->handles, &ss->handles);
    s->last_command = "NULL";
    s->next = ss->first;
    if (ss->first) ss->first->previous = s;
    ss->first = s;
    ss->count++;
    return STATUS_OK;
}

/* What a session without handles leaves behind is small enough to free at once. */
static void bury(struct sessions *ss, struct handles *hs)
{
    if (handles_count(hs) == 0)
        handles_drain(ss->h, hs, 1);
    else
        ss->buried[ss->buried_count++] = *hs;
}

void session_wait(struct sessions *ss, struct session *s, const struct wait_type *type,
                  struct wait_queue *source)
{
    wait_begin(&s->wait, type, source);
    ss->waiting++;
}

void session_wait_end(struct sessions *ss, struct session *s)
{
    wait_end(&s->wait);
    ss->waiting--;
}

static void cancel_wait(struct sessions *ss, struct session *s)
{
    if (s->wait.type->cancel) s->wait.type->cancel(ss, &s->wait);
    session_wait_end(ss, s);
}

void session_close(struct sessions *ss, struct session *s)
{
    if (s->previous)
        s->previous->next = s->next;
    else
        ss->first = s->next;
    if (s->next) s->next->previous = s->previous;
    if (session_waits(s)) cancel_wait(ss, s);
    s->input_bytes = s->output_bytes = 0;
    sessions_count(ss, s, &(struct session_memory){.total = 0});
    bury(ss, &s->handles);
    ss->count--;
    effects_commit(&ss->h->effects); /* what only its wait or its handles have held */
}

enum status session_reset(struct sessions *ss, struct session *s)
{
    if (!reserve_graves(ss, ss->count + ss->buried_count + 1)) return STATUS_OOM;
    bury(ss, &s->handles);
    handles_init(&s->handles, &ss->handles);
    protocol_init(s);
    return STATUS_OK;
}

bool sessions_step(struct sessions *ss, uint32_t max)
{
    if (ss->buried_count == 0) return false;
    if (handles_drain(ss->h, &ss->buried[ss->buried_count - 1], max)) ss->buried_count--;
    return ss->buried_count > 0;
}

uint64_t sessions_handles(const struct sessions *ss)
{
    return ss->handles;
}

void sessions_tick(struct sessions *ss)
{
    ss->recent_at = (ss->recent_at + 1) % SESSIONS_RECENT_S;
    ss->recent[ss->recent_at].input = ss->recent[ss->recent_at].output = 0;
}

uint64_t sessions_recent_input(const struct sessions *ss)
{
    uint64_t most = 0;
    for (int i = 0; i < SESSIONS_RECENT_S; i++)
        if (ss->recent[i].input > most) most = ss->recent[i].input;
    return most;
}

uint64_t sessions_recent_output(const struct sessions *ss)
{
    uint64_t most = 0;
    for (int i = 0; i < SESSIONS_RECENT_S; i++)
        if (ss->recent[i].output > most) most = ss->recent[i].output;
    return most;
}

struct session *sessions_find(const struct sessions *ss, uint64_t id)
{
    struct session *s = ss->first;
    while (s && s->id != id) s = s->next;
    return s;
}
