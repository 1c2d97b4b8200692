/*
 * Many connections that want little: each sends a GET, and the next when its reply is there.
 * fair.py asks with it: redis-benchmark takes more CPU for a request than the servers do, so that
 * it would measure how its own core is shared.
 *
 * usage: askers PORT CONNECTIONS REQUESTS
 *
 * One thread, one io_uring: a turn's requests leave together. They take turns among the KEYS names
 * of KEY_FORMAT, whose values must be bulks; a reply is shorter than REPLY_BYTES. Prints one line:
 * requests a second; the 50th and 99th percentile and the longest of what they waited for their
 * replies, in milliseconds; and what part of a core this process took. Where that is near 1 and the
 * server's is not, the figures are this program's.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <liburing.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { KEYS = 1000, REPLY_BYTES = 256, REQUEST_BYTES = 64, RING_ENTRIES = 2048 };

#define KEY_FORMAT "key:%012d"

struct asker {
    int fd;
    int64_t asked_ns;
    size_t reply_bytes; /* of what came so far */
    char reply[REPLY_BYTES];
};

static struct {
    struct io_uring ring;
    struct asker *askers;
    int64_t *waits_ns; /* of each request that was answered */
    size_t wanted, asked, answered;
    char requests[KEYS][REQUEST_BYTES];
    size_t request_bytes; /* the same for all */
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

static void listen_to(struct asker *a)
{
    struct io_uring_sqe *sqe = entry();
    io_uring_prep_recv(sqe, a->fd, a->reply + a->reply_bytes, REPLY_BYTES - 1 - a->reply_bytes, 0);
    sqe->ioprio = IORING_RECVSEND_POLL_FIRST;
    io_uring_sqe_set_data(sqe, a);
}

/* A request is shorter than any socket's buffer. */
static void ask(struct asker *a)
{
    if (all.asked == all.wanted) return;
    const char *request = all.requests[all.asked++ % KEYS];
    struct io_uring_sqe *sqe = entry();
    io_uring_prep_send(sqe, a->fd, request, all.request_bytes, 0);
    sqe->flags = IOSQE_CQE_SKIP_SUCCESS;
    io_uring_sqe_set_data(sqe, NULL);
    a->asked_ns = clock_ns(CLOCK_MONOTONIC);
    listen_to(a);
}

static bool is_whole(const struct asker *a)
{
    size_t n = 0;
    int header = 0;
    if (a->reply_bytes < 1 || a->reply[a->reply_bytes - 1] != '\n') return false;
    if (sscanf(a->reply, "$%zu\r\n%n", &n, &header) != 1 || !header) {
        fprintf(stderr, "not a bulk: %.*s\n", (int)a->reply_bytes, a->reply);
        exit(1);
    }
    return a->reply_bytes == (size_t)header + n + 2;
}

static void hear(struct asker *a, int n)
{
    if (n <= 0) fail("recv", -n);
    a->reply_bytes += (size_t)n;
    a->reply[a->reply_bytes] = '\0';
    if (!is_whole(a)) {
        listen_to(a);
        return;
    }
    a->reply_bytes = 0;
    all.waits_ns[all.answered++] = clock_ns(CLOCK_MONOTONIC) - a->asked_ns;
    ask(a);
}

static void open_asker(struct asker *a, uint16_t port)
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
    for (int i = 0; i < connections; i++) ask(&all.askers[i]);
    while (all.answered < all.wanted) {
        struct io_uring_cqe *cqe;
        unsigned head, count = 0;
        io_uring_submit_and_wait(&all.ring, 1);
        io_uring_for_each_cqe(&all.ring, head, cqe)
        {
            struct asker *a = io_uring_cqe_get_data(cqe);
            if (!a) fail("send", -cqe->res);
            hear(a, cqe->res);
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
        fprintf(stderr, "usage: askers PORT CONNECTIONS REQUESTS\n");
        return 2;
    }
    int connections = atoi(argv[2]);
    all.wanted = (size_t)atoll(argv[3]);
    all.askers = calloc((size_t)connections, sizeof *all.askers);
    all.waits_ns = calloc(all.wanted, sizeof *all.waits_ns);
    if (!all.askers || !all.waits_ns) fail("memory", ENOMEM);
    struct io_uring_params params = {.flags =
                                         IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN};
    int error = io_uring_queue_init_params(RING_ENTRIES, &all.ring, &params);
    if (error) fail("io_uring", -error);
    prepare_requests();
    for (int i = 0; i < connections; i++) open_asker(&all.askers[i], (uint16_t)atoi(argv[1]));
    int64_t began_ns = clock_ns(CLOCK_MONOTONIC), cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    run(connections);
    double took_s = (double)(clock_ns(CLOCK_MONOTONIC) - began_ns) / 1e9;
    double cpu_s = (double)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_ns) / 1e9;
    qsort(all.waits_ns, all.answered, sizeof *all.waits_ns, compare);
    printf("%.0f %.3f %.3f %.3f %.2f\n", (double)all.answered / took_s, percentile_ms(50),
           percentile_ms(99), percentile_ms(100), cpu_s / took_s);
    return 0;
}
