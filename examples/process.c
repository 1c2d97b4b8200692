#include "examples/process.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WAIT_MS = 5 };
static_assert(PROCESS_PATH_BYTES >= PATH_MAX, "realpath wants that much");

/* The server, or 0; written while the signals below are blocked or not yet caught. */
static volatile sig_atomic_t server_pid;

static const int ending[] = {SIGINT, SIGTERM, SIGHUP};
enum { ENDING = sizeof ending / sizeof ending[0] };

bool process_beside(const char *relative, char path[PROCESS_PATH_BYTES])
{
    /* What the kernel was given to execute, which is known without /proc too. */
    const char *self = (const char *)getauxval(AT_EXECFN);
    if (!self || !realpath(self, path)) return false;
    char *folder_end = strrchr(path, '/');
    if (!folder_end) return false;
    size_t room = PROCESS_PATH_BYTES - (size_t)(folder_end + 1 - path);
    return (size_t)snprintf(folder_end + 1, room, "%s", relative) < room;
}

uint16_t process_free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return 0;
    bool ok = bind(fd, (struct sockaddr *)&address, n) == 0 &&
              getsockname(fd, (struct sockaddr *)&address, &n) == 0;
    close(fd);
    return ok ? ntohs(address.sin_port) : 0;
}

/* Only calls that a signal handler may make. */
static void end_by_signal(int number)
{
    pid_t pid = server_pid;
    if (pid > 0 && kill(pid, SIGTERM) == 0) waitpid(pid, NULL, 0);
    _exit(128 + number);
}

/* The ending signals: caught, so that the server goes too, and blocked while server_pid changes. */
static void signals_block(sigset_t *before)
{
    sigset_t set;
    sigemptyset(&set);
    for (int i = 0; i < ENDING; i++) sigaddset(&set, ending[i]);
    sigprocmask(SIG_BLOCK, &set, before);
}

static void signals_catch(void)
{
    struct sigaction action = {.sa_handler = end_by_signal};
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < ENDING; i++) sigaddset(&action.sa_mask, ending[i]);
    for (int i = 0; i < ENDING; i++) sigaction(ending[i], &action, NULL);
}

static _Noreturn void become_server(const char *program, uint16_t port, pid_t parent,
                                    const sigset_t *mask)
{
    char port_text[8];
    snprintf(port_text, sizeof port_text, "%u", (unsigned)port);
    for (int i = 0; i < ENDING; i++) signal(ending[i], SIG_DFL);
    sigprocmask(SIG_SETMASK, mask, NULL);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(1); /* it died before it was asked for */
    execl(program, program, "--port", port_text, "--bind", "127.0.0.1", "--http-port", "0",
          "--loglevel", "warning", (char *)NULL);
    fprintf(stderr, "heapd-tour: cannot execute %s: %s\n", program, strerror(errno));
    _exit(1);
}

int process_start(const char *program, uint16_t port)
{
    sigset_t before;
    pid_t parent = getpid();
    signals_catch();
    signals_block(&before);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) become_server(program, port, parent, &before);
    if (pid > 0) server_pid = pid;
    sigprocmask(SIG_SETMASK, &before, NULL);
    return pid;
}

/* True once it has ended; *status as waitpid gives it. */
static bool reap(int *status)
{
    pid_t pid = server_pid;
    if (pid <= 0) return true;
    sigset_t before;
    signals_block(&before);
    bool ended = waitpid(pid, status, WNOHANG) != 0;
    if (ended) server_pid = 0;
    sigprocmask(SIG_SETMASK, &before, NULL);
    return ended;
}

bool process_running(void)
{
    int status;
    return !reap(&status);
}

bool process_stop(void)
{
    int status = 0;
    if (server_pid <= 0) return true;
    kill(server_pid, SIGTERM);
    for (int waited = 0; !reap(&status); waited += WAIT_MS) {
        const struct timespec pause = {.tv_nsec = WAIT_MS * 1000000L};
        if (waited == PROCESS_STOP_MS) kill(server_pid, SIGKILL);
        nanosleep(&pause, NULL);
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
