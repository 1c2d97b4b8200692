#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/conn.h"
#include "proto/writer.h"

static struct proto_view view(const char *text)
{
    return (struct proto_view){text, strlen(text)};
}

static void put(struct proto_buf *to, struct proto_view arg)
{
    proto_put_bulk(to, arg.p, arg.n);
}

/* The options behind the cursor; returns how many arguments they are. */
static size_t put_options(struct proto_buf *to, const struct heapd_scan_options *o)
{
    size_t n = 0;
    if (o->match.p) {
        put(to, view("MATCH"));
        put(to, o->match);
        n += 2;
    }
    if (o->count != 0) {
        put(to, view("COUNT"));
        proto_put_bulk_integer(to, o->count > INT64_MAX ? INT64_MAX : (int64_t)o->count);
        n += 2;
    }
    if (o->type) {
        put(to, view("TYPE"));
        put(to, view(o->type));
        n += 2;
    }
    return n;
}

static bool same_letters(const char *a, const char *b)
{
    for (; *a && (*a | 0x20) == (*b | 0x20); a++) b++;
    return !*a && !*b;
}

void heapd_scan_init(struct heapd_scan *s, struct heapd *h,
                     const struct heapd_scan_options *options)
{
    static const struct heapd_scan_options everything = {0};
    const struct heapd_scan_options *o = options ? options : &everything;
    const char *command = o->command ? o->command : "SCAN";
    bool keyed = !same_letters(command, "SCAN");
    *s = (struct heapd_scan){.h = h, .cursor = "0"};
    s->pairs = same_letters(command, "HSCAN") || same_letters(command, "ZSCAN");
    struct proto_buf before = {0}, after = {0};
    size_t options_count = put_options(&after, o);
    proto_put_array(&before, 2U + o->by_reference + keyed + options_count);
    if (o->by_reference) put(&before, view("REF"));
    put(&before, view(command));
    if (keyed) put(&before, o->key);
    s->before = (struct proto_view){before.p, before.n};
    s->after = (struct proto_view){after.p, after.n};
    if (before.failed || after.failed) {
        s->status = heapd_conn_note(h, HEAPD_OOM, "Out of memory");
        s->last = true;
    }
}

static enum heapd_status request(struct heapd_scan *s, struct heapd_reply **out)
{
    struct proto_buf whole;
    proto_buf_init(&whole);
    proto_buf_append(&whole, s->before.p, s->before.n);
    put(&whole, view(s->cursor));
    proto_buf_append(&whole, s->after.p, s->after.n);
    enum heapd_status status = HEAPD_OOM;
    if (whole.failed)
        heapd_conn_note(s->h, status, "Out of memory");
    else
        status = heapd_conn_call_raw(s->h, whole.p, whole.n, out);
    proto_buf_fini(&whole);
    return status;
}

/* The array of elements of SCAN's answer, or NULL if it has another shape. */
static const struct heapd_reply *elements(const struct heapd_scan *s,
                                          const struct heapd_reply *batch)
{
    if (batch->type != HEAPD_REPLY_ARRAY || batch->n != 2) return NULL;
    const struct heapd_reply *cursor = &batch->children[0], *items = &batch->children[1];
    if (!cursor->text || cursor->n == 0 || cursor->n >= sizeof s->cursor) return NULL;
    if (items->type != HEAPD_REPLY_ARRAY && items->type != HEAPD_REPLY_MAP &&
        items->type != HEAPD_REPLY_SET)
        return NULL;
    return s->pairs && heapd_reply_children(items) % 2 != 0 ? NULL : items;
}

static enum heapd_status fetch(struct heapd_scan *s)
{
    heapd_reply_free(s->batch);
    s->batch = NULL;
    s->at = 0;
    enum heapd_status status = request(s, &s->batch);
    if (status != HEAPD_OK) return status;
    if (heapd_is_error(s->batch)) return heapd_conn_note(s->h, HEAPD_REFUSED, "%s", s->batch->text);
    if (!elements(s, s->batch))
        return heapd_conn_note(s->h, HEAPD_BROKEN, "This is not the answer of a SCAN");
    const struct heapd_reply *cursor = &s->batch->children[0];
    memcpy(s->cursor, cursor->text, cursor->n + 1);
    s->last = strcmp(s->cursor, "0") == 0;
    return HEAPD_OK;
}

bool heapd_scan_next(struct heapd_scan *s, struct heapd_scan_item *item)
{
    while (s->status == HEAPD_OK) {
        const struct heapd_reply *items = s->batch ? elements(s, s->batch) : NULL;
        if (items && s->at < heapd_reply_children(items)) {
            item->key = &items->children[s->at++];
            item->value = s->pairs ? &items->children[s->at++] : NULL;
            return true;
        }
        if (s->last) return false;
        s->status = fetch(s);
    }
    return false;
}

void heapd_scan_fini(struct heapd_scan *s)
{
    heapd_reply_free(s->batch);
    free((char *)s->before.p);
    free((char *)s->after.p);
    *s = (struct heapd_scan){.h = s->h, .last = true};
}
