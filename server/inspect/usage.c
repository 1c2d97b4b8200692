#include "inspect/usage.h"

#include "base/hash.h"

enum {
    CHUNK_FRAMES = 42,  /* about 1 KiB */
    VISIT_SLOTS = 64,   /* between two looks at the clock */
    DROP_FRAMES = 64,   /* the same */
    UNPINNED_MAX = 256, /* frames that end a step, for pinning them is work, too */
};

/* A container that has been counted and is being looked through. */
struct usage_frame {
    struct obj *o;
    uint64_t at, end; /* the type's cursors */
};

struct usage_chunk {
    struct usage_chunk *below;
    struct usage_frame frames[CHUNK_FRAMES];
};

/* --- frames --- */

static struct usage_frame *frame_top(const struct usage_walk *w)
{
    return &w->top->frames[(w->frames - 1) % CHUNK_FRAMES];
}

static bool frame_push(struct usage_walk *w, struct obj *o)
{
    if (w->frames % CHUNK_FRAMES == 0) {
        struct usage_chunk *chunk = mem_alloc(w->h->mem, sizeof *chunk);
        if (!chunk) return false;
        chunk->below = w->top;
        w->top = chunk;
    }
    w->frames++;
    const struct heap_type *type = w->h->types[o->type];
    *frame_top(w) = (struct usage_frame){o, type->begin(o), type->end(o)};
    return true;
}

static void frame_pop(struct usage_walk *w)
{
    if (--w->frames % CHUNK_FRAMES) return;
    struct usage_chunk *chunk = w->top;
    w->top = chunk->below;
    mem_free(w->h->mem, chunk, sizeof *chunk);
}

/* --- pins --- */

static uint32_t hash_of(const struct obj *o)
{
    return (uint32_t)hash_word(0, (uint64_t)(uintptr_t)o);
}

static uint32_t pin_hash(const void *ctx, const void *entry)
{
    (void)ctx;
    return hash_of(*(struct obj *const *)entry);
}

static bool pin_match(const void *needle, const void *entry)
{
    return *(struct obj *const *)entry == needle;
}

static const struct table_type pins_type = {.entry_bytes = sizeof(struct obj *), .hash = pin_hash};

static void *pin_find(const struct table *pins, const struct obj *o)
{
    return table_find(pins, &pins_type, hash_of(o), pin_match, o);
}

static bool pin(struct usages *us, struct obj *o)
{
    struct obj **entry = table_insert(&us->pins, &pins_type, us->h->pool, NULL, hash_of(o));
    if (!entry) return false;
    *entry = o;
    rc_inc(us->h, o);
    return true;
}

static void unpin(struct usages *us, struct obj *o)
{
    void *entry = pin_find(&us->pins, o);
    ASSERT(entry);
    table_remove(&us->pins, &pins_type, us->h->pool, NULL, hash_of(o), entry);
    rc_dec(us->h, o);
}

uint32_t usages_pins(const struct usages *us, const struct obj *o)
{
    return us->pins.used && pin_find(&us->pins, o) ? 1 : 0;
}

static void pop(struct usages *us)
{
    struct usage_walk *w = &us->walk;
    struct obj *o = frame_top(w)->o;
    bool pinned = w->pinned == w->frames;
    frame_pop(w);
    if (!pinned) return;
    w->pinned--;
    unpin(us, o);
}

/* Pins what a step has left on top, if its walk goes on. Without the memory for it the frames go
 * instead: false. */
static bool pin_all(struct usages *us)
{
    struct usage_walk *w = &us->walk;
    while (!us->walking && w->frames > w->pinned) frame_pop(w);
    const struct usage_chunk *chunk = w->top;
    uint64_t n = w->frames;
    for (; n > w->pinned; n--) {
        if (!pin(us, chunk->frames[(n - 1) % CHUNK_FRAMES].o)) break;
        if ((n - 1) % CHUNK_FRAMES == 0) chunk = chunk->below;
    }
    if (n > w->pinned) {
        for (; w->frames > n; frame_pop(w)) unpin(us, frame_top(w)->o);
        while (w->frames > w->pinned) frame_pop(w);
        return false;
    }
    w->pinned = w->frames;
    return true;
}

/* --- the walk --- */

/* Whether the slot that led here is all that holds it. */
static bool is_held_once(const struct usage_walk *w, const struct obj *o)
{
    if (o->count == 1) return true;
    return o->count == 2 && w->pins && w->pins->used && pin_find(w->pins, o);
}

static void count(void *walk, struct obj *o)
{
    struct usage_walk *w = walk;
    w->slots++;
    if (o == w->start || !is_held_once(w, o) || !w->objects_left) return;
    w->objects_left--;
    w->bytes += w->h->types[o->type]->bytes(o);
    if (obj_is_container(o) && !w->failed) w->failed = !frame_push(w, o);
}

static bool walk_begin(struct usage_walk *w, struct heap *h, struct obj *start)
{
    w->h = h;
    w->start = start;
    w->slots = 0;
    w->bytes = h->types[start->type]->bytes(start);
    w->objects_left = heap_objects(h);
    w->failed = false;
    return frame_push(w, start);
}

/* Some slots of the newest container; NULL, or the frame that this finished: of all but the start
 * the children stand above it. */
static struct usage_frame *walk_visit(struct usage_walk *w)
{
    struct usage_frame *f = frame_top(w);
    const struct heap_type *type = w->h->types[f->o->type];
    uint64_t at = f->at;
    f->at = obj_body(f->o) ? type->visit(f->o, at, f->end, VISIT_SLOTS, count, w) : f->end;
    w->slots += f->at - at + 1;
    return f->at < f->end || f->o == w->start ? NULL : f;
}

/* The newest child takes the place of its parent: a chain as long as memory needs one frame. */
static void frame_replace(struct usage_walk *w, struct usage_frame *finished)
{
    *finished = *frame_top(w);
    frame_pop(w);
}

static bool walk_is_done(const struct usage_walk *w)
{
    return w->frames == 1 && frame_top(w)->at >= frame_top(w)->end;
}

/* Counts what takes no more than slots_max slots. */
static bool count_at_once(struct usages *us, struct obj *o, uint64_t *out, enum status *status)
{
    struct usage_walk w = {.pins = &us->pins};
    bool done = false, begun = walk_begin(&w, us->h, o);
    while (begun && !w.failed && !done && w.slots < us->slots_at_once) {
        struct usage_frame *finished = walk_visit(&w);
        if (finished) frame_replace(&w, finished);
        done = walk_is_done(&w);
    }
    *status = begun && !w.failed ? STATUS_OK : STATUS_OOM;
    *out = w.bytes;
    while (w.frames) frame_pop(&w);
    return done || *status;
}

/* --- questions --- */

static void unlink_question(struct usages *us, struct usage *q)
{
    if (q->previous)
        q->previous->next = q->next;
    else
        us->first = q->next;
    if (q->next)
        q->next->previous = q->previous;
    else
        us->last = q->previous;
}

static void answer(struct usages *us, struct usage *q, enum status status)
{
    unlink_question(us, q);
    q->status = status;
    q->done = true;
    us->answered++;
}

static void answer_walk(struct usages *us, enum status status)
{
    us->walking->bytes += us->walk.bytes;
    answer(us, us->walking, status);
    us->walking = NULL;
}

enum status usage_ask(struct usages *us, val v, uint64_t more, struct usage *q)
{
    enum status status;
    uint64_t bytes = 0;
    *q = (struct usage){.bytes = more, .done = true};
    if (!val_is_container(v)) {
        q->bytes += val_own_bytes(us->h, v);
        return STATUS_OK;
    }
    q->done = count_at_once(us, val_obj(v), &bytes, &status);
    if (q->done) q->bytes += bytes;
    return status;
}

enum status usage_wait(struct usages *us, val v, struct usage *q)
{
    enum status status = ident_number(us->h, val_obj(v), &q->number);
    if (status) return status;
    q->previous = us->last;
    if (us->last)
        us->last->next = q;
    else
        us->first = q;
    us->last = q;
    return STATUS_OK;
}

void usage_cancel(struct usages *us, struct usage *q)
{
    if (q->done) return;
    unlink_question(us, q);
    if (us->walking == q) us->walking = NULL;
}

/* --- steps --- */

static void begin_next(struct usages *us)
{
    struct usage *q = us->first;
    struct obj *o = ident_find(us->h, q->number);
    if (o && walk_begin(&us->walk, us->h, o))
        us->walking = q;
    else
        answer(us, q, o ? STATUS_OOM : STATUS_NO_OBJECT);
}

static void go_on(struct usages *us)
{
    struct usage_walk *w = &us->walk;
    struct obj *o = frame_top(w)->o;
    uint64_t parent = w->frames;
    struct usage_frame *finished = walk_visit(w);
    if (finished && w->pinned == parent) {
        w->pinned--;
        frame_replace(w, finished);
        unpin(us, o);
    } else if (finished) {
        frame_replace(w, finished);
    }
    if (w->failed)
        answer_walk(us, STATUS_OOM);
    else if (walk_is_done(w) || !w->objects_left)
        answer_walk(us, STATUS_OK);
}

static void advance(struct usages *us)
{
    if (us->walking) {
        go_on(us);
    } else if (us->walk.frames) {
        for (int i = 0; i < DROP_FRAMES && us->walk.frames; i++) pop(us);
    } else {
        begin_next(us);
    }
}

bool usages_step(struct usages *us, int64_t budget_ns)
{
    const struct usage_walk *w = &us->walk;
    if (!usages_have_work(us)) return false;
    int64_t deadline = clock_mono_ns(us->h->clock) + budget_ns;
    do advance(us);
    while (usages_have_work(us) && w->frames - w->pinned < UNPINNED_MAX &&
           clock_mono_ns(us->h->clock) < deadline);
    if (!pin_all(us)) answer_walk(us, STATUS_OOM);
    return usages_have_work(us);
}

/* --- beginning and end --- */

static void each_pinned(void *self, heap_hold_visit *visit, void *ctx)
{
    const struct usages *us = self;
    const struct usage_chunk *chunk = us->walk.top;
    for (uint64_t n = us->walk.frames; n > 0; n--) {
        if (n <= us->walk.pinned)
            visit(ctx, chunk->frames[(n - 1) % CHUNK_FRAMES].o, HEAP_HOLD_COUNT);
        if ((n - 1) % CHUNK_FRAMES == 0) chunk = chunk->below;
    }
}

void usages_init(struct usages *us, struct heap *h)
{
    *us = (struct usages){.h = h, .walk.h = h, .slots_at_once = USAGE_SLOTS_AT_ONCE};
    table_init(&us->pins);
    us->holder = (struct heap_holder){.name = "usage", .each = each_pinned, .self = us};
    heap_add_holder(h, &us->holder);
}

void usages_fini(struct usages *us)
{
    DASSERT(!us->first);
    while (us->walk.frames) pop(us);
}

bool usages_check(const struct usages *us)
{
    const struct usage_walk *w = &us->walk;
    const struct usage_chunk *chunk = w->top;
    if (w->pinned != w->frames || us->pins.used != w->pinned) return false; /* 1 */
    for (uint64_t n = w->frames; n > 0; n--) {
        const struct obj *o = chunk->frames[(n - 1) % CHUNK_FRAMES].o;
        if (!pin_find(&us->pins, o)) return false; /* 1 */
        if (n == 1 && o != w->start) return false; /* 2 */
        if ((n - 1) % CHUNK_FRAMES == 0) chunk = chunk->below;
    }
    if (us->walking && us->walking != us->first) return false; /* 3 */
    return !chunk && table_check(&us->pins, &pins_type, NULL);
}
