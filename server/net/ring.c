#include "net/ring.h"

#include <assert.h>
#include <errno.h>
#include <liburing.h>
#include <poll.h>

#include "base/panic.h"
#include "net/inbox.h"

enum {
    BUFFER_GROUP = 0,
    BUFFER_LIST_BYTES = 4096, /* of the list of provided buffers: whole pages */
    SEND_TAG = 1,             /* of an op's address: it is a ring_send's */
    RING_ASKED_TOGETHER = RING_BUFFERS / 2,
};

static_assert(RING_BUFFERS * sizeof(struct io_uring_buf) <= BUFFER_LIST_BYTES, "the list has room");
static_assert((RING_BUFFERS & (RING_BUFFERS - 1)) == 0, "a mask");

struct ring {
    struct io_uring uring;
    struct mem *mem;
    char *buffers;
    struct io_uring_buf_ring *provided;
    unsigned buffer_count; /* those that go round */
    uv_loop_t *loop;
    uv_idle_t polls;      /* while it is active the loop's poll does not block */
    struct ring_op ready; /* the loop has something to do, */
    bool watches;         /* which is asked for */
    bool hurries;
    /* In the order that they came: */
    struct ring_send *sent, **sent_end;
    struct ring_receive *wanted, **wanted_end; /* to be asked for when the turn is over */
    size_t wanted_count, due;                  /* and of them, in this turn */
};

/* --- beginning and end --- */

static char *buffer_at(const struct ring *r, unsigned i)
{
    return r->buffers + (size_t)i * RING_BUFFER_BYTES + INBOX_FRONT_BYTES;
}

static void provide(struct ring *r, unsigned i, int place)
{
    io_uring_buf_ring_add(r->provided, buffer_at(r, i), RING_BUFFER_BYTES - INBOX_FRONT_BYTES,
                          (unsigned short)i, RING_BUFFERS - 1, place);
}

/* More of them go round. */
static void provide_more(struct ring *r, unsigned count)
{
    if (count > RING_BUFFERS) return;
    for (unsigned i = r->buffer_count; i < count; i++) provide(r, i, (int)(i - r->buffer_count));
    io_uring_buf_ring_advance(r->provided, (int)(count - r->buffer_count));
    r->buffer_count = count;
}

static void on_ready(struct ring_op *op, int result, char *buffer)
{
    (void)result, (void)buffer;
    struct ring *r = (struct ring *)((char *)op - offsetof(struct ring, ready));
    r->watches = false;
}

static int open_uring(struct ring *r)
{
    struct io_uring_params params = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                 IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE |
                 IORING_SETUP_CLAMP,
        .cq_entries = RING_COMPLETIONS,
    };
    int error = io_uring_queue_init_params(RING_OPS, &r->uring, &params);
    if (error) return error;
    struct io_uring_buf_reg reg = {
        .ring_addr = (uintptr_t)r->provided, .ring_entries = RING_BUFFERS, .bgid = BUFFER_GROUP};
    error = io_uring_register_buf_ring(&r->uring, &reg, 0);
    if (error) {
        io_uring_queue_exit(&r->uring);
        return error;
    }
    io_uring_register_ring_fd(&r->uring); /* saves a look-up a system call, where it can be had */
    io_uring_buf_ring_init(r->provided);
    provide_more(r, RING_BUFFERS_FIRST);
    return 0;
}

static void free_memory(struct ring *r)
{
    mem_unmap(r->mem, r->buffers, RING_BUFFERS * RING_BUFFER_BYTES);
    mem_unmap(r->mem, r->provided, BUFFER_LIST_BYTES);
    mem_free(r->mem, r, sizeof *r);
}

int ring_new(struct ring **out, struct mem *m, uv_loop_t *loop)
{
    struct ring *r = mem_alloc(m, sizeof *r);
    if (!r) return -ENOMEM;
    *r = (struct ring){.mem = m, .loop = loop, .ready = {on_ready}};
    r->sent_end = &r->sent;
    r->wanted_end = &r->wanted;
    r->buffers = mem_map(m, RING_BUFFERS * RING_BUFFER_BYTES, BUFFER_LIST_BYTES);
    r->provided = mem_map(m, BUFFER_LIST_BYTES, BUFFER_LIST_BYTES);
    int error = r->buffers && r->provided ? open_uring(r) : -ENOMEM;
    if (error) {
        free_memory(r);
        return error;
    }
    uv_idle_init(loop, &r->polls);
    uv_unref((uv_handle_t *)&r->polls);
    *out = r;
    return 0;
}

void ring_close(struct ring *r)
{
    uv_close((uv_handle_t *)&r->polls, NULL);
}

void ring_free(struct ring *r)
{
    ASSERT(!r->sent);
    io_uring_queue_exit(&r->uring);
    free_memory(r);
}

/* --- what is asked --- */

static struct io_uring_sqe *next_entry(struct ring *r)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&r->uring);
    if (sqe) return sqe;
    ring_submit(r);
    sqe = io_uring_get_sqe(&r->uring);
    ASSERT(sqe);
    return sqe;
}

void ring_receive(struct ring *r, struct ring_receive *receive, int fd, char *p, size_t n)
{
    receive->fd = fd;
    receive->p = p;
    receive->n = n;
    receive->next = NULL;
    receive->wanted = true;
    *r->wanted_end = receive;
    r->wanted_end = &receive->next;
    r->wanted_count++;
}

static void ask_for(struct ring *r, struct ring_receive *receive)
{
    struct io_uring_sqe *sqe = next_entry(r);
    io_uring_prep_recv(sqe, receive->fd, receive->p, receive->n, 0);
    if (!receive->p) {
        sqe->ioprio = IORING_RECVSEND_POLL_FIRST; /* most come when everything was read */
        sqe->flags = IOSQE_BUFFER_SELECT;
        sqe->buf_group = BUFFER_GROUP;
    }
    io_uring_sqe_set_data(sqe, &receive->op);
}

/* Asks for the first of those that are wanted. */
static void ask_for_next(struct ring *r)
{
    struct ring_receive *receive = r->wanted;
    r->wanted = receive->next;
    if (!r->wanted) r->wanted_end = &r->wanted;
    receive->wanted = false;
    r->wanted_count--;
    if (r->due) r->due--;
    ask_for(r, receive);
}

void ring_writable(struct ring *r, struct ring_op *op, int fd)
{
    struct io_uring_sqe *sqe = next_entry(r);
    io_uring_prep_poll_add(sqe, fd, POLLOUT);
    io_uring_sqe_set_data(sqe, op);
}

void ring_later(struct ring *r, struct ring_op *op)
{
    struct io_uring_sqe *sqe = next_entry(r);
    io_uring_prep_nop(sqe);
    io_uring_sqe_set_data(sqe, op);
}

/* With WAITALL a send that took less has failed, and only what failed has a completion; DONTWAIT:
 * it fails instead of waiting. */
void ring_send(struct ring *r, struct ring_send *send, int fd, const char *p, size_t n)
{
    struct io_uring_sqe *sqe = next_entry(r);
    io_uring_prep_send(sqe, fd, p, n, MSG_DONTWAIT | MSG_WAITALL | MSG_NOSIGNAL);
    sqe->flags = IOSQE_CQE_SKIP_SUCCESS;
    io_uring_sqe_set_data64(sqe, (uintptr_t)send | SEND_TAG);
    send->result = (int)n;
    send->next = NULL;
    *r->sent_end = send;
    r->sent_end = &send->next;
}

void ring_cancel(struct ring *r, struct ring_op *op)
{
    struct io_uring_sqe *sqe = next_entry(r);
    io_uring_prep_cancel(sqe, op, 0);
    sqe->flags = IOSQE_CQE_SKIP_SUCCESS;
    io_uring_sqe_set_data(sqe, NULL);
}

void ring_cancel_receive(struct ring *r, struct ring_receive *receive)
{
    while (receive->wanted) ask_for_next(r);
    ring_cancel(r, &receive->op);
}

void ring_hurry(struct ring *r)
{
    r->hurries = true;
}

/* --- what was done --- */

/* Notes what a completion says of a send that nobody was told of yet. The completion may stay there
 * until the turn, and the send be another's by then: it is spoken for. */
static void note_send(struct io_uring_cqe *cqe)
{
    if (!(cqe->user_data & SEND_TAG)) return;
    ((struct ring_send *)(uintptr_t)(cqe->user_data - SEND_TAG))->result = cqe->res;
    cqe->user_data = 0;
}

/* Handed over means tried, for a send: those that failed are among the completions now. */
static void tell_sends(struct ring *r)
{
    if (!r->sent) return;
    unsigned head;
    struct io_uring_cqe *cqe;
    io_uring_for_each_cqe(&r->uring, head, cqe) note_send(cqe);
    struct ring_send *send = r->sent;
    r->sent = NULL;
    r->sent_end = &r->sent;
    while (send) {
        struct ring_send *next = send->next;
        send->op.done(&send->op, send->result, NULL);
        send = next;
    }
}

/* Returns how many. */
static unsigned tell(struct ring *r)
{
    struct io_uring_cqe *cqe;
    unsigned count = io_uring_cq_ready(&r->uring);
    for (unsigned n = count; n; n--) {
        if (io_uring_peek_cqe(&r->uring, &cqe) != 0) break;
        note_send(cqe); /* what was told of may have handed over more */
        struct ring_op *op = io_uring_cqe_get_data(cqe); /* NULL: a send's, or a cancel's */
        int result = cqe->res;
        unsigned number = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
        char *buffer = cqe->flags & IORING_CQE_F_BUFFER ? buffer_at(r, number) : NULL;
        io_uring_cqe_seen(&r->uring, cqe);
        if (op) op->done(op, result, buffer);
        if (result == -ENOBUFS) {
            provide_more(r, 2 * r->buffer_count);
            ring_hurry(r); /* what it wanted is there */
        }
        if (!buffer) continue;
        provide(r, number, 0);
        io_uring_buf_ring_advance(r->provided, 1);
    }
    return count;
}

/* --- the turn --- */

void ring_submit(struct ring *r)
{
    while (io_uring_sq_ready(&r->uring)) {
        int error = io_uring_submit(&r->uring);
        ASSERT(error >= 0 || error == -EINTR || error == -EAGAIN || error == -EBUSY);
    }
}

void ring_flush(struct ring *r)
{
    ring_submit(r);
    tell_sends(r);
}

/* Now and then it says so, and has none. */
static bool kernel_has_work(const struct ring *r)
{
    unsigned flags = __atomic_load_n(r->uring.sq.kflags, __ATOMIC_RELAXED);
    return flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW);
}

/* Hands over, and waits for so many completions; ns < 0: for ever. */
static void wait_for(struct ring *r, unsigned count, int64_t ns)
{
    struct __kernel_timespec time = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    struct io_uring_cqe *cqe;
    io_uring_submit_and_wait_timeout(&r->uring, &cqe, count, ns < 0 ? NULL : &time, NULL);
}

/* Asks to be told when the loop has something to do. */
static void watch(struct ring *r)
{
    if (r->watches) return;
    struct io_uring_sqe *sqe = next_entry(r);
    io_uring_prep_poll_add(sqe, uv_backend_fd(r->loop), POLLIN);
    io_uring_sqe_set_data(sqe, &r->ready);
    r->watches = true;
}

static void on_idle(uv_idle_t *handle)
{
    (void)handle;
}

/* Hands over, and waits as ring_turn says. */
static void hand_over(struct ring *r, int timeout_ms, const struct ring_hooks *hooks)
{
    bool waits = timeout_ms != 0 && !r->hurries && !io_uring_cq_ready(&r->uring);
    r->hurries = false;
    int64_t gap_ns = waits && hooks->gap ? hooks->gap(hooks->gap_self) : 0;
    if (gap_ns > 0) wait_for(r, RING_BUFFERS, gap_ns);
    if (waits && !io_uring_cq_ready(&r->uring))
        wait_for(r, 1, timeout_ms < 0 ? -1 : (int64_t)timeout_ms * 1000000);
    else if (io_uring_sq_ready(&r->uring) || kernel_has_work(r))
        io_uring_submit_and_get_events(&r->uring);
    ring_submit(r); /* what the kernel has not taken by then: a send of that is not tried yet */
}

static void hand_over_more(struct ring *r)
{
    io_uring_submit_and_get_events(&r->uring);
    ring_submit(r);
}

/* Submits some of the receives that are due. One whose bytes are there takes a buffer at once, and
 * buffers are provided again only after all completions were handled: were all submitted together,
 * those behind the first few would find none, and the same ones in every turn. Returns whether none
 * is left. */
static bool ask_for_due(struct ring *r)
{
    for (int n = 0; r->due && n < RING_ASKED_TOGETHER; n++) ask_for_next(r);
    return r->due == 0;
}

void ring_turn(struct ring *r, const struct ring_hooks *hooks)
{
    watch(r);
    uv_idle_stop(&r->polls);
    r->due = r->wanted_count;
    unsigned told = 0, more;
    bool all;
    do {
        all = ask_for_due(r);
        if (hooks->before_submit) hooks->before_submit(hooks->submit_self);
        if (all && !told)
            hand_over(r, uv_backend_timeout(r->loop), hooks);
        else
            hand_over_more(r);
        tell_sends(r);
        told += more = tell(r);
    } while (told < RING_TURN_DONE && (!all || (more && kernel_has_work(r))));
    if (!uv_is_closing((uv_handle_t *)&r->polls)) uv_idle_start(&r->polls, on_idle);
}
