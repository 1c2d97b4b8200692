/*
 * Evidence: whether values of one kind (those of plain names, those of one field of a shape) repeat
 * often enough that it pays to keep each once, in the intern table.
 *
 * A check costs a hash of the value and a lookup, and an interned string costs its header and its
 * entry in the table; for values that never repeat both are wasted. So values are checked in
 * windows of EVIDENCE_WINDOW, and the hits of the last window decide about the next one:
 *
 *   verdict   hits of the last window     then
 *   RARE      fewer than EVIDENCE_SOME    a pause of as many values as a window has, twice as many
 *                                         after each such window, up to EVIDENCE_PAUSE_MAX
 *   SOME      fewer than EVIDENCE_OFTEN   every value is checked; it is interned when it is seen
 *                                         for the second time
 *   OFTEN     as many or more             the same, and interned when it is first seen
 *
 * A value counts as seen if it is in the intern table, or if its hash is in a small filter that all
 * kinds share and in which new hashes replace old ones. So values that never repeat make no objects
 * and no entries, and one in 256 of them is checked; values that begin to repeat are found by the
 * next window.
 *
 * Called by store/ and value/ before a value is stored. Interning is never necessary: when memory
 * is out, the value is stored as any other.
 *
 * Invariants (evidence_check)
 *   1. hits <= asked < EVIDENCE_WINDOW.
 *   2. skip <= pause <= EVIDENCE_PAUSE_MAX, and only RARE has a pause.
 * Ownership: whoever owns the kind owns its statistics; struct value_state owns the filter. Cost: a
 *    comparison where nothing is asked; 24 bytes a kind, 16 KiB for the filter.
 */
#ifndef HEAPD_VALUE_EVIDENCE_H
#define HEAPD_VALUE_EVIDENCE_H

#include "value/val.h"

enum {
    EVIDENCE_WINDOW = 64,
    EVIDENCE_SOME = 2,
    EVIDENCE_OFTEN = 32,
    EVIDENCE_PAUSE_MAX = 255 * EVIDENCE_WINDOW,
    /* Shorter texts cost about as much interned as they do packed; of longer ones hashing takes
     * long. */
    EVIDENCE_TEXT_BYTES_MIN = 32,
    EVIDENCE_TEXT_BYTES_MAX = 32 << 10,
};

enum evidence_verdict { EVIDENCE_IS_SOME, EVIDENCE_IS_OFTEN, EVIDENCE_IS_RARE };

/* All zero: nothing is known, and every value is asked about. */
struct evidence {
    uint16_t skip, pause; /* values not to ask about; as they were when the pause began */
    uint8_t asked, hits;  /* of this window */
    uint8_t verdict;      /* of the last one: enum evidence_verdict */
    uint64_t asked_all, hits_all;
};

/* Whether a text of so many bytes is not asked about: it is too short or too long, or the kind
 * pauses, which comes to an end with as many of these calls. */
static inline bool evidence_passes(struct evidence *ev, size_t bytes)
{
    if (bytes < EVIDENCE_TEXT_BYTES_MIN || bytes > EVIDENCE_TEXT_BYTES_MAX) return true;
    if (ev->skip == 0) return false;
    ev->skip--;
    return true;
}

/* Asks about a text that does not pass. A counted interned string equal to it, or NULL: keep the
 * text as any other. */
RC_NEW struct obj *evidence_ask(struct heap *h, struct evidence *ev, struct view text);
/* The same of any text. */
RC_NEW static inline struct obj *evidence_intern(struct heap *h, struct evidence *ev,
                                                 struct view text)
{
    return evidence_passes(ev, text.n) ? NULL : evidence_ask(h, ev, text);
}

/* "some", "often" or "rare". */
const char *evidence_verdict_name(const struct evidence *ev);
bool evidence_check(const struct evidence *ev);

#endif
