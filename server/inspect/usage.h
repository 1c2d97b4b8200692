/*
 * The bytes of an object and of everything that it alone keeps alive: the object, and what it
 * reaches through counts of 1. Used by MEMORY USAGE.
 *
 * An object with a count of 1 has no other holder, so the walk visits a tree: it meets no object
 * twice and needs no set of visited objects. The start is the exception: an identity holds nothing,
 * so the start may be garbage that only its own cycle holds. The walk skips it explicitly.
 *
 * A few slots are counted at once. A larger question waits: the walks of all questions run one
 * after another, in steps between commands. A waiting question stores the identity of its object,
 * which holds nothing. The running one has *frames*: containers with a cursor of their type, the
 * newest on top. Between two steps the containers in frames are *pinned*: each count is one higher,
 * and the holder "usage" reports that to heap_check(). A table of pins lets other walks and OBJECT
 * REFCOUNT subtract them. Within a step nothing else runs, so only frames that are left at its end
 * are pinned.
 *
 * If nothing changes between question and answer, the answer is exact. Commands that run meanwhile
 * may add, remove and move counted and uncounted objects; the answer then lies in between, or
 * counts a moved object twice or never. The walk always ends: the end of each container's scan is
 * fixed when it begins, and no more objects are counted than the heap had.
 *
 * Invariants (usages_check)
 *   1. `pins` has exactly the lowest walk.pinned frames; between two steps these are all frames.
 *   2. While there are frames, the first is the start.
 *   3. walking, if set, is the first question.
 * Ownership: a question is embedded in its asker (a session), and linked here until it is done or
 * cancelled.
 * Cost: proportional to what is counted; 24 bytes per frame, and 14 more for a pinned one. Frames
 * are containers not yet entered, siblings of one VISIT_SLOTS at each depth.
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
