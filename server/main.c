/*
 * The command line, the log and the limits of the process; everything else is daemon.c's.
 *
 * Exit code: 0 when it was told to end and has; 1 when it could not start, with one line on
 * standard error that says why; 128 + n when a second signal n ended it at once.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/address.h"
#include "base/descriptors.h"
#include "base/log.h"
#include "daemon.h"
#include "monitor/monitor.h"

static_assert(VISITS_MAX + 2 * (int)ADDRESS_MAX + 16 <= (int)DESCRIPTORS_RESERVED,
              "what both ports may have open is reserved");

static const char usage[] =
    "usage: heapd [FILE] [--directive value ...]\n"
    "       heapd --help | --version\n"
    "\n"
    "Serves a shared heap over the Redis protocol. FILE is a configuration; every directive of it\n"
    "is also an argument, and the argument wins: heapd heapd.conf --port 7400 --http-port 0\n"
    "conf/heapd.conf explains them all.\n";

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--help") == 0) return fputs(usage, stdout) < 0;
    if (argc == 2 && strcmp(argv[1], "--version") == 0) return puts("heapd " HEAPD_VERSION) < 0;
    struct config config;
    char error[CONFIG_ERROR_BYTES];
    config_init(&config);
    if (!config_load(&config, argc, argv, error)) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    enum log_level level = LOG_NOTICE;
    log_level_of(view_of(config.loglevel), &level);
    int failed = log_open(config.logfile, level);
    if (failed) {
        fprintf(stderr, "heapd: cannot open the log file '%s': %s\n", config.logfile,
                strerror(failed));
        return 1;
    }
    uint64_t clients = descriptors_for(config.maxclients);
    if (clients == 0) {
        fprintf(stderr, "heapd: the limit of open files leaves no room for clients\n");
        return 1;
    }
    if (clients < config.maxclients) {
        log_line(LOG_WARNING,
                 "maxclients is %" PRIu64 " instead of %" PRIu64
                 ": the system allows no more open files",
                 clients, config.maxclients);
        config.maxclients = clients;
    }
    return daemon_run(&config);
}
