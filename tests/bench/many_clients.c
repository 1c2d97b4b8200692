/*
 * Many connections that each send a GET and send the next when its reply has come. fair.py uses it
 * because redis-benchmark needs more CPU per request than the servers do.
 *
 * usage: many_clients PORT CONNECTIONS REQUESTS
 *
 * One thread with one io_uring submits the requests of a turn together. The requests cycle through
 * the KEYS names of KEY_FORMAT, whose values must have the same length: a reply is complete when it
 * is as long as the first one. Prints one line: requests per second; the 50th and 99th percentile
 * and the longest wait for a reply, in ms; the part of a core that this process used. If that is
 * near 1 and the server's is not, the figures are those of this program.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <liburing.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    KEYS = 1000,
    REQUEST_BYTES = 64,
    RING_ENTRIES = 2048,
    BUFFERS = 1024, /* blocks that replies are received into, a power of two */
    BUFFER_BYTES = 256,
    PAGE_BYTES = 4096,
};

#define KEY_FORMAT "key:%012d"

struct client {
    int fd;
    int64_t asked_ns;
    size_t left; /* of its reply */
};

static struct {
    struct io_uring ring;
    struct io_uring_buf_ring *buffer_ring; /* whole pages */
    char buffers[BUFFERS][BUFFER_BYTES];
    struct client *clients;
    int64_t *waits_ns; /* of each request that was answered */
    size_t wanted, asked, answered;
    char requests[KEYS][REQUEST_BYTES];
    size_t request_bytes, reply_bytes; /* the same for all */
} all;

static void fail(const char *what, int error)
{
    fprintf(stderr, "%s: %s\n", what, error ? strerror(error) : "the end");
    exit(1);
}

static int64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void prepare_requests(void)
{
    for (int i = 0; i < KEYS; i++) {
        char key[REQUEST_BYTES];
        int n = snprintf(key, sizeof key, KEY_FORMAT, i);
        all.request_bytes = (size_t)snprintf(all.requests[i], REQUEST_BYTES,
                                             "*2\r\n$3\r\nGET\r\n$%d\r\n%s\r\n", n, key);
    }
}

static struct io_uring_sqe *entry(void)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&all.ring);
    if (sqe) return sqe;
    io_uring_submit(&all.ring);
    return io_uring_get_sqe(&all.ring);
}

/* Once is enough as long as there are buffers. */
static void listen_to(struct client *a)
{
    struct io_uring_sqe *sqe = entry();
    io_uring_prep_recv_multishot(sqe, (int)(a - all.clients), NULL, 0, 0);
    sqe->flags = IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
    io_uring_sqe_set_data(sqe, a);
}

/* A request is shorter than any socket's buffer. */
static void ask(struct client *a)
{
    if (all.asked == all.wanted) return;
    const char *request = all.requests[all.asked++ % KEYS];
    struct io_uring_sqe *sqe = entry();
    io_uring_prep_send(sqe, (int)(a - all.clients), request, all.request_bytes, 0);
    sqe->flags = IOSQE_FIXED_FILE | IOSQE_CQE_SKIP_SUCCESS;
    io_uring_sqe_set_data(sqe, NULL);
    a->left = all.reply_bytes;
    a->asked_ns = clock_ns(CLOCK_MONOTONIC);
}

static void lend(unsigned i)
{
    io_uring_buf_ring_add(all.buffer_ring, all.buffers[i], BUFFER_BYTES, (unsigned short)i,
                          BUFFERS - 1, 0);
    io_uring_buf_ring_advance(all.buffer_ring, 1);
}

static void hear(struct client *a, const struct io_uring_cqe *cqe)
{
    if (cqe->res <= 0 && cqe->res != -ENOBUFS) fail("recv", -cqe->res);
    if (cqe->flags & IORING_CQE_F_BUFFER) lend(cqe->flags >> IORING_CQE_BUFFER_SHIFT);
    if (!(cqe->flags & IORING_CQE_F_MORE)) listen_to(a);
    if (cqe->res < 0) return;
    if ((size_t)cqe->res > a->left) fail("a reply that is longer than the first", EBADMSG);
    a->left -= (size_t)cqe->res;
    if (a->left) return;
    all.waits_ns[all.answered++] = clock_ns(CLOCK_MONOTONIC) - a->asked_ns;
    ask(a);
}

/* What the first request is answered. */
static void measure_reply(int fd)
{
    char reply[BUFFER_BYTES + 1];
    size_t n = 0, value = 0;
    int header = 0;
    if (send(fd, all.requests[0], all.request_bytes, 0) < 0) fail("send", errno);
    do {
        ssize_t got = recv(fd, reply + n, BUFFER_BYTES - n, 0);
        if (got <= 0) fail("recv", got < 0 ? errno : 0);
        n += (size_t)got;
        reply[n] = '\0';
        if (sscanf(reply, "$%zu\r\n%n", &value, &header) != 1) fail(reply, EBADMSG);
    } while (!header || n < (size_t)header + value + 2);
    all.reply_bytes = n;
}

static void open_ring(void)
{
    struct io_uring_params params = {.flags =
                                         IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN};
    int error = io_uring_queue_init_params(RING_ENTRIES, &all.ring, &params);
    if (error) fail("io_uring", -error);
    all.buffer_ring = aligned_alloc(PAGE_BYTES, BUFFERS * sizeof(struct io_uring_buf));
    if (!all.buffer_ring) fail("memory", ENOMEM);
    struct io_uring_buf_reg reg = {.ring_addr = (uintptr_t)all.buffer_ring,
                                   .ring_entries = BUFFERS};
    error = io_uring_register_buf_ring(&all.ring, &reg, 0);
    if (error) fail("io_uring's buffers", -error);
    io_uring_buf_ring_init(all.buffer_ring);
    for (unsigned i = 0; i < BUFFERS; i++) lend(i);
}

static void register_clients(int connections)
{
    int *fds = calloc((size_t)connections, sizeof *fds);
    if (!fds) fail("memory", ENOMEM);
    for (int i = 0; i < connections; i++) fds[i] = all.clients[i].fd;
    int error = io_uring_register_files(&all.ring, fds, (unsigned)connections);
    if (error) fail("io_uring's files", -error);
    free(fds);
}

static void open_client(struct client *a, uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    a->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (a->fd < 0 || connect(a->fd, (struct sockaddr *)&address, sizeof address) != 0)
        fail("connect", errno);
    setsockopt(a->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void run(int connections)
{
    for (int i = 0; i < connections; i++) listen_to(&all.clients[i]), ask(&all.clients[i]);
    while (all.answered < all.wanted) {
        struct io_uring_cqe *cqe;
        unsigned head, count = 0;
        io_uring_submit_and_wait(&all.ring, 1);
        io_uring_for_each_cqe(&all.ring, head, cqe)
        {
            struct client *a = io_uring_cqe_get_data(cqe);
            if (!a) fail("send", -cqe->res);
            hear(a, cqe);
            count++;
        }
        io_uring_cq_advance(&all.ring, count);
    }
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static double percentile_ms(int percent)
{
    return (double)all.waits_ns[(all.answered - 1) * (size_t)percent / 100] / 1e6;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: many_clients PORT CONNECTIONS REQUESTS\n");
        return 2;
    }
    int connections = atoi(argv[2]);
    all.wanted = (size_t)atoll(argv[3]);
    all.clients = calloc((size_t)connections, sizeof *all.clients);
    all.waits_ns = calloc(all.wanted, sizeof *all.waits_ns);
    if (!all.clients || !all.waits_ns) fail("memory", ENOMEM);
    open_ring();
    prepare_requests();
    for (int i = 0; i < connections; i++) open_client(&all.clients[i], (uint16_t)atoi(argv[1]));
    register_clients(connections);
    measure_reply(all.clients[0].fd);
    int64_t began_ns = clock_ns(CLOCK_MONOTONIC), cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    run(connections);
    double took_s = (double)(clock_ns(CLOCK_MONOTONIC) - began_ns) / 1e9;
    double cpu_s = (double)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_ns) / 1e9;
    qsort(all.waits_ns, all.answered, sizeof *all.waits_ns, compare);
    printf("%.0f %.3f %.3f %.3f %.2f\n", (double)all.answered / took_s, percentile_ms(50),
           percentile_ms(99), percentile_ms(100), cpu_s / took_s);
    return 0;
}
