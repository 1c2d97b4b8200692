#include "net/sends.h"

static_assert(offsetof(struct send, ring) == 0 && offsetof(struct ring_send, op) == 0,
              "on_tried casts");

static void set_free(struct sends *sends, struct send *send)
{
    send->stream = NULL;
    send->next = sends->free;
    sends->free = send;
}

static struct send *take_free(struct sends *sends)
{
    struct send *send = sends->free;
    sends->free = send->next;
    send->next = NULL;
    return send;
}

static void on_tried(struct ring_op *op, int result, char *loan)
{
    (void)loan;
    struct send *send = (struct send *)op;
    struct stream *stream = send->stream;
    if (!stream->closing) stream->user->sent(stream, &send->replies, result);
    proto_buf_clear(&send->replies.buf, OUTBOX_SHARED_KEPT_BYTES);
    set_free(send->home, send);
    stream_ended(stream);
}

void sends_init(struct sends *sends, struct ring *ring)
{
    *sends = (struct sends){.ring = ring};
    for (int i = SENDS_MAX; i >= 0; i--) {
        struct send *send = &sends->all[i];
        send->ring.op.done = on_tried;
        send->home = sends;
        replies_init(&send->replies);
        set_free(sends, send);
    }
    sends->at_hand = take_free(sends);
}

void sends_fini(struct sends *sends, struct reply_refs_all *refs)
{
    for (int i = 0; i <= SENDS_MAX; i++) replies_fini(&sends->all[i].replies, refs);
}

bool sends_later(struct sends *sends, struct stream *stream)
{
    struct send *send = sends->at_hand;
    const struct replies *r = &send->replies;
    if (!sends->ring || !sends->free || r->held.first) return false;
    if (r->buf.n == 0 || r->buf.n > SENDS_BYTES_MAX) return false;
    send->stream = stream;
    stream_began(stream);
    ring_send(sends->ring, &send->ring, stream->ring.fd, r->buf.p, r->buf.n);
    sends->at_hand = take_free(sends);
    return true;
}

int sends_check(const struct sends *sends)
{
    for (const struct send *s = sends->free; s; s = s->next)
        if (replies_bytes(&s->replies) || s->stream) return 1;
    for (int i = 0; i <= SENDS_MAX; i++) {
        const struct stream *stream = sends->all[i].stream;
        if (stream && stream->ring.under_way == 0) return 2;
    }
    return 0;
}
