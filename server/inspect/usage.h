/*
 * Bytes that an object takes, with all that it alone keeps alive: itself, and what it reaches
 * through counts of 1. Asked by MEMORY USAGE.
 *
 * What a count of 1 leads to has no other holder, so the walk is over a tree: no object is met
 * twice, and no set of visited objects is needed. Only the start can be met again: an identity
 * holds nothing, so what it names may be garbage, held by nothing but its own cycle. It is left out
 * by name.
 *
 * Few slots are counted at once. More make a question that waits: the walks of all questions are
 * taken one after another, in steps between commands. A question that waits for its turn knows its
 * object by its identity, which holds nothing; the one whose turn it is has *frames*: containers
 * with a cursor of their type, the newest on top. What stands there between two steps is *pinned*:
 * its count is one higher, the holder "usage" shows it to heap_check(), and a table tells other
 * people's walks, and OBJECT REFCOUNT, to take the pin off again. Within a step nothing else runs,
 * so only what is left on top at its end is pinned.
 *
 * If nothing changes between question and answer, the answer is exact. Commands that run meanwhile
 * may add, remove and move what was not yet counted, or was: then the answer is a number in
 * between, or one that counts what moved twice or never. The walk ends in any case: the end of each
 * container's scan is set when it begins, and no more objects are counted than the heap had.
 *
 * Invariants (usages_check)
 *   1. The lowest walk.pinned frames are those that `pins` has, and between two steps all are.
 *   2. The first frame is the start, for as long as there is any.
 *   3. walking, if any, is the first of the questions.
 * Ownership: a question lies in whoever asks (a session), and is linked here until it is done or
 * cancelled.
 * Cost: proportional to what is counted; 24 bytes a frame, and 14 more for a pinned one. Frames are
 * containers not yet entered, siblings of one VISIT_SLOTS at each depth.
 */
#ifndef HEAPD_INSPECT_USAGE_H
#define HEAPD_INSPECT_USAGE_H

#include "value/val.h"

struct usage_chunk;

enum { USAGE_SLOTS_AT_ONCE = 2000 };

struct usage_walk {
    struct heap *h;
    const struct table *pins; /* of others, which do not count; NULL in the walk that makes them */
    const struct obj *start;
    struct usage_chunk *top;
    uint64_t frames, pinned;
    uint64_t slots; /* looked at so far, about */
    uint64_t bytes;
    uint64_t objects_left; /* that may still be counted */
    bool failed;           /* no memory for a frame */
};

struct usage {
    struct usage *previous, *next;
    uint64_t number; /* of the object, while it waits */
    uint64_t bytes;  /* what the caller added; the answer when it is done */
    enum status status;
    bool done;
};

struct usages {
    struct heap *h;
    struct usage *first, *last;
    struct usage *walking; /* whose walk is going on; NULL while there are frames: it ended early */
    struct usage_walk walk;
    struct table pins; /* struct obj * */
    uint64_t slots_at_once;
    uint64_t answered; /* questions that were, since the start */
    struct heap_holder holder;
};

void usages_init(struct usages *us, struct heap *h);
/* Nobody waits any more; what is pinned is let go. */
void usages_fini(struct usages *us);

/* The bytes of v and `more`, if they are counted at once: else it is not done, and may wait. */
enum status usage_ask(struct usages *us, val v, uint64_t more, struct usage *q) MUST_USE;
/* A step will answer it. Gives the container a number (ident.h). */
enum status usage_wait(struct usages *us, val v, struct usage *q) MUST_USE;
/* The one who asked does not want to know any more. */
void usage_cancel(struct usages *us, struct usage *q);

static inline bool usages_have_work(const struct usages *us)
{
    return us->first || us->walk.frames;
}

/*
 * A share of the questions that wait, for about budget_ns; 0: the least there is. True while more
 * is left. A question that is done has its bytes, or a status: STATUS_OOM, or STATUS_NO_OBJECT when
 * the object had gone before its turn came.
 */
bool usages_step(struct usages *us, int64_t budget_ns);
/* References that a walk holds to the object: for whoever shows counts to people. */
uint32_t usages_pins(const struct usages *us, const struct obj *o);
bool usages_check(const struct usages *us);

#endif
