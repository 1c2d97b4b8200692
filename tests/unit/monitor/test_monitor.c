/* Goal: the port opens, answers within the loop and closes, and says why when it cannot open.
 * Method: a loop without a server's net; a plain socket asks, and the loop runs by hand until the
 * answer is there. What many clients do to it is tried in tests/monitor/run.py. */
#include "watched.h"

#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "monitor/monitor.h"

enum { ANSWER_BYTES = 1 << 16, TURNS_MAX = 10000, TURN_US = 200 };

struct place {
    struct engine *engine;
    uv_loop_t loop;
    struct monitor *monitor;
    uint16_t port;
};

static int socket_on(uint16_t *port, bool listens)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    assert_int_equal(bind(fd, (struct sockaddr *)&at, size), 0);
    if (listens) assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
    *port = ntohs(at.sin_port);
    return fd;
}

static int setup(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    p->engine = watched_new();
    uv_loop_init(&p->loop);
    close(socket_on(&p->port, false));
    p->engine->config.http_port = p->port;
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    struct place *p = *state;
    monitor_stop(p->monitor);
    assert_int_equal(uv_run(&p->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&p->loop), 0);
    watched_free(p->engine);
    free(p);
    return 0;
}

static int connected(const struct place *p)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons(p->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

/* Everything up to the end that `Connection: close` brings. */
static void ask(struct place *p, const char *request, char answer[ANSWER_BYTES])
{
    int fd = connected(p);
    assert_int_equal(write(fd, request, strlen(request)), (ssize_t)strlen(request));
    size_t have = 0;
    for (int turn = 0;; turn++) {
        assert_true(turn < TURNS_MAX && have < ANSWER_BYTES - 1);
        uv_run(&p->loop, UV_RUN_NOWAIT);
        ssize_t n = recv(fd, answer + have, ANSWER_BYTES - 1 - have, MSG_DONTWAIT);
        if (n == 0) break;
        if (n > 0) have += (size_t)n;
        if (n < 0) usleep(TURN_US);
    }
    answer[have] = '\0';
    close(fd);
}

static void test_port_0_is_off(void **state)
{
    struct place *p = *state;
    p->engine->config.http_port = 0;
    p->monitor = (struct monitor *)p;
    assert_int_equal(monitor_start(&p->monitor, p->engine, &p->loop), 0);
    assert_null(p->monitor);
}

static void test_requests_are_answered_by_the_loop(void **state)
{
    struct place *p = *state;
    static char answer[ANSWER_BYTES];
    assert_int_equal(monitor_start(&p->monitor, p->engine, &p->loop), 0);
    ask(p, "GET /livez?x=1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", answer);
    assert_ptr_equal(strstr(answer, "HTTP/1.1 200 "), answer);
    assert_non_null(strstr(answer, "\r\n\r\nok\n"));
    ask(p, "HEAD /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", answer);
    assert_non_null(strstr(answer, "Content-Type: text/plain; version=0.0.4"));
    assert_string_equal(strstr(answer, "\r\n\r\n"), "\r\n\r\n");
    ask(p, "DELETE / HTTP/1.1\r\nHost: localhost\r\n\r\n", answer);
    assert_ptr_equal(strstr(answer, "HTTP/1.1 405 "), answer);
    assert_non_null(strstr(answer, "Allow: GET, HEAD\r\n"));
}

static void test_stop_in_the_middle_of_requests(void **state)
{
    struct place *p = *state;
    assert_int_equal(monitor_start(&p->monitor, p->engine, &p->loop), 0);
    int silent = connected(p), half = connected(p);
    assert_int_equal(write(half, "GET /met", 8), 8);
    for (int turn = 0; turn < 10; turn++) uv_run(&p->loop, UV_RUN_NOWAIT);
    monitor_stop(p->monitor);
    p->monitor = NULL;
    char byte;
    assert_int_equal(recv(silent, &byte, 1, 0), 0);
    assert_true(recv(half, &byte, 1, 0) <= 0);
    close(silent);
    close(half);
}

/* What went to standard error while monitor_start failed. */
static void refused(struct place *p, char *line, size_t line_bytes)
{
    fflush(stderr);
    int kept = dup(STDERR_FILENO), ends[2];
    assert_int_equal(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    int code = monitor_start(&p->monitor, p->engine, &p->loop);
    dup2(kept, STDERR_FILENO);
    close(kept);
    close(ends[1]);
    ssize_t n = read(ends[0], line, line_bytes - 1);
    close(ends[0]);
    assert_true(n > 0);
    line[n] = '\0';
    assert_int_equal(code, 1);
    assert_null(p->monitor);
    assert_ptr_equal(strchr(line, '\n'), line + n - 1);
}

static void test_port_in_use(void **state)
{
    struct place *p = *state;
    int other = socket_on(&p->port, true);
    p->engine->config.http_port = p->port;
    char line[512], wanted[512];
    refused(p, line, sizeof line);
    close(other);
    snprintf(wanted, sizeof wanted,
             "heapd: cannot listen on 127.0.0.1 port %d for HTTP: address already in use\n",
             (int)p->port);
    assert_string_equal(line, wanted);
}

static void test_address_that_is_none(void **state)
{
    struct place *p = *state;
    strcpy(p->engine->config.http_bind, "nowhere");
    char line[512];
    refused(p, line, sizeof line);
    assert_non_null(strstr(line, "nowhere"));
    assert_non_null(strcasestr(line, "name"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_port_0_is_off),
        TEST(test_requests_are_answered_by_the_loop),
        TEST(test_stop_in_the_middle_of_requests),
        TEST(test_port_in_use),
        TEST(test_address_that_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
