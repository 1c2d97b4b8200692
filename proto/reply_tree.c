#include "proto/reply.h"

#include <stdlib.h>

/* The first allocation of a container's children, unless fewer were announced. */
#define CHILDREN_FIRST 16

static bool is_pairs(enum heapd_reply_type type)
{
    return type == HEAPD_REPLY_MAP || type == HEAPD_REPLY_ATTRIBUTE;
}

static bool is_container(enum heapd_reply_type type)
{
    return type == HEAPD_REPLY_ARRAY || type == HEAPD_REPLY_SET || type == HEAPD_REPLY_PUSH ||
           is_pairs(type);
}

size_t heapd_reply_children(const struct heapd_reply *reply)
{
    if (!is_container(reply->type)) return 0;
    return is_pairs(reply->type) ? 2 * reply->n : reply->n;
}

/* From here on `up` leads back, and n counts the children that are still to be freed. */
static void free_enter(struct heapd_reply *node, struct heapd_reply *up)
{
    if (!is_container(node->type)) free(node->text);
    node->n = heapd_reply_children(node);
    node->up = up;
}

void heapd_reply_free(struct heapd_reply *reply)
{
    if (reply == NULL) return;
    struct heapd_reply *node = reply;
    free_enter(node, NULL);
    while (node != NULL) {
        struct heapd_reply *child = node->attributes;
        if (child != NULL)
            node->attributes = NULL;
        else if (node->n > 0)
            child = &node->children[--node->n];
        if (child != NULL) {
            free_enter(child, node);
            node = child;
            continue;
        }
        struct heapd_reply *up = node->up;
        free(node->children);
        /* Attributes and the root are alone in their memory; other nodes go with their array. */
        if (node->type == HEAPD_REPLY_ATTRIBUTE || node == reply) free(node);
        node = up;
    }
}

/* Doubles the children's room, but not beyond what was announced: `left` counts the items behind
 * the one that is being added, or with it. A map's room stays large enough for whole pairs. The
 * array moves only here, while no child of it is open, so that no frame's node moves. */
static bool children_grow(struct reply_frame *frame)
{
    uint64_t announced = frame->left + 1 + frame->used;
    size_t room = frame->room == 0 ? CHILDREN_FIRST : frame->room * 2;
    if (room > announced) room = (size_t)announced;
    if (room > SIZE_MAX / sizeof(struct heapd_reply)) return false;
    struct heapd_reply *children = realloc(frame->node->children, room * sizeof(*children));
    if (children == NULL) return false;
    frame->node->children = children;
    frame->room = room;
    return true;
}

/* A slot for the next child, or NULL. */
static struct heapd_reply *child_add(struct reply_frame *frame)
{
    struct heapd_reply *node = frame->node;
    if (frame->used == frame->room && !children_grow(frame)) return NULL;
    struct heapd_reply *child = &node->children[frame->used];
    bool pairs = is_pairs(node->type);
    /* A key comes with an empty value, so that n pairs are whole at any time. */
    bool key = pairs && frame->used % 2 == 0;
    memset(child, 0, (key ? 2 : 1) * sizeof(*child));
    frame->used++;
    node->n = pairs ? (frame->used + 1) / 2 : frame->used;
    return child;
}

static bool set_text(struct heapd_reply *node, const char *text, size_t n)
{
    node->text = malloc(n + 1);
    if (node->text == NULL) return false;
    if (n != 0) memcpy(node->text, text, n);
    node->text[n] = '\0';
    node->n = n;
    return true;
}

/* Attributes that follow each other before one item become one. */
static bool open_attribute(struct reply_reader *r, const struct reply_event *event,
                           struct heapd_reply **attributes)
{
    if (event->n == 0) return true;
    if (*attributes == NULL) {
        *attributes = calloc(1, sizeof(**attributes));
        if (*attributes == NULL) return false;
        (*attributes)->type = HEAPD_REPLY_ATTRIBUTE;
    }
    struct reply_frame *frame = &r->stack[event->depth];
    frame->node = *attributes;
    frame->used = frame->room = 2 * (*attributes)->n;
    return true;
}

/* Puts an event into the unfinished tree. The frame of its parent is still in the stack's memory
 * even when this event was the last of it: only a container's event writes a frame, and further up.
 */
static bool place(struct reply_reader *r, const struct reply_event *event)
{
    struct reply_frame *parent = event->depth > 0 ? &r->stack[event->depth - 1] : NULL;
    struct heapd_reply **attributes = parent != NULL ? &parent->attributes : &r->attributes;
    if (event->type == HEAPD_REPLY_ATTRIBUTE) return open_attribute(r, event, attributes);
    struct heapd_reply *node = parent != NULL ? child_add(parent) : calloc(1, sizeof(*node));
    if (node == NULL) {
        /* A frame that has been left is nobody's to clear but ours. */
        heapd_reply_free(*attributes);
        *attributes = NULL;
        return false;
    }
    if (parent == NULL) r->root = node;
    node->type = event->type;
    node->integer = event->integer;
    node->number = event->number;
    memcpy(node->format, event->format, sizeof(node->format));
    node->attributes = *attributes;
    *attributes = NULL;
    if (event->text != NULL) return set_text(node, event->text, event->n);
    if (is_container(event->type) && event->n > 0) r->stack[event->depth].node = node;
    return true;
}

enum reply_status reply_reader_next(struct reply_reader *r, struct heapd_reply **out)
{
    for (;;) {
        struct reply_event event;
        enum reply_status status = reply_reader_event(r, &event);
        if (status != REPLY_READY) return status;
        if (!place(r, &event)) return r->status = REPLY_OOM;
        if (event.last) {
            *out = r->root;
            r->root = NULL;
            return REPLY_READY;
        }
    }
}
