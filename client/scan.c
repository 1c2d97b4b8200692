#include "client/conn.h"
#include "proto/writer.h"

#include <stdio.h>

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
    if (o->match.p != NULL) {
        put(to, view("MATCH"));
        put(to, o->match);
        n += 2;
    }
    if (o->count != 0) {
        put(to, view("COUNT"));
        proto_put_bulk_integer(to, o->count > INT64_MAX ? INT64_MAX : (int64_t)o->count);
        n += 2;
    }
    if (o->type != NULL) {
        put(to, view("TYPE"));
        put(to, view(o->type));
        n += 2;
    }
    return n;
}

static bool same_letters(const char *a, const char *b)
{
    for (; *a != 0 && (*a | 0x20) == (*b | 0x20); a++) b++;
    return *a == 0 && *b == 0;
}

void heapd_scan_init(struct heapd_scan *s, struct heapd *h,
                     const struct heapd_scan_options *options)
{
    static const struct heapd_scan_options everything = {0};
    const struct heapd_scan_options *o = options != NULL ? options : &everything;
    const char *command = o->command != NULL ? o->command : "SCAN";
    bool keyed = !same_letters(command, "SCAN");
    *s = (struct heapd_scan){.h = h, .cursor = "0"};
    s->pairs = same_letters(command, "HSCAN") || same_letters(command, "ZSCAN");
    size_t after = put_options(&s->after, o);
    proto_put_array(&s->before, 2U + o->by_reference + keyed + after);
    if (o->by_reference) put(&s->before, view("REF"));
    put(&s->before, view(command));
    if (keyed) put(&s->before, o->key);
    if (s->before.failed || s->after.failed) {
        s->status = conn_note(h, HEAPD_OOM, "Out of memory");
        s->last = true;
    }
}

static enum heapd_status request(struct heapd_scan *s, struct reply **out)
{
    struct proto_buf whole;
    proto_buf_init(&whole);
    proto_buf_append(&whole, s->before.p, s->before.n);
    put(&whole, view(s->cursor));
    proto_buf_append(&whole, s->after.p, s->after.n);
    enum heapd_status status = HEAPD_OOM;
    if (whole.failed)
        conn_note(s->h, status, "Out of memory");
    else
        status = conn_call_raw(s->h, whole.p, whole.n, out);
    proto_buf_fini(&whole);
    return status;
}

/* The array of elements of SCAN's answer, or NULL if it has another shape. */
static const struct reply *elements(const struct heapd_scan *s, const struct reply *batch)
{
    if (batch->type != REPLY_ARRAY || batch->n != 2) return NULL;
    const struct reply *cursor = &batch->children[0], *items = &batch->children[1];
    if (cursor->text == NULL || cursor->n == 0 || cursor->n >= sizeof(s->cursor)) return NULL;
    if (items->type != REPLY_ARRAY && items->type != REPLY_MAP && items->type != REPLY_SET)
        return NULL;
    return s->pairs && reply_children(items) % 2 != 0 ? NULL : items;
}

static enum heapd_status fetch(struct heapd_scan *s)
{
    reply_free(s->batch);
    s->batch = NULL;
    s->at = 0;
    enum heapd_status status = request(s, &s->batch);
    if (status != HEAPD_OK) return status;
    if (heapd_is_error(s->batch)) return conn_note(s->h, HEAPD_REFUSED, "%s", s->batch->text);
    if (elements(s, s->batch) == NULL)
        return conn_note(s->h, HEAPD_BROKEN, "This is not the answer of a SCAN");
    const struct reply *cursor = &s->batch->children[0];
    memcpy(s->cursor, cursor->text, cursor->n + 1);
    s->last = strcmp(s->cursor, "0") == 0;
    return HEAPD_OK;
}

bool heapd_scan_next(struct heapd_scan *s, struct heapd_scan_item *item)
{
    while (s->status == HEAPD_OK) {
        const struct reply *items = s->batch != NULL ? elements(s, s->batch) : NULL;
        if (items != NULL && s->at < reply_children(items)) {
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
    reply_free(s->batch);
    proto_buf_fini(&s->before);
    proto_buf_fini(&s->after);
    *s = (struct heapd_scan){.h = s->h, .last = true};
}
