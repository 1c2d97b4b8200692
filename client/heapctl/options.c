#include "client/heapctl/options.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const char usage[] =
    "Usage: heapctl [options] [command [argument ...]]\n"
    "\n"
    "Without a command it is interactive on a terminal; elsewhere it reads commands from stdin,\n"
    "one a line.\n"
    "\n"
    "  -h, --host <name>     where the server is (127.0.0.1)\n"
    "  -p, --port <number>   (7379)\n"
    "  -u, --url <url>       redis://[[user][:password]@][host][:port][/db]\n"
    "  -a, --pass <text>     password; better in the environment as REDISCLI_AUTH\n"
    "      --user <name>     whose password it is\n"
    "  -n, --db <number>     database (heapd has one: 0)\n"
    "  -2, -3                protocol: RESP2 (usual), or RESP3 (usual with --json)\n"
    "  -t, --timeout <s>     seconds to wait for a connection, and for anything after (for ever)\n"
    "      --raw             replies as they are, an element or a pair a line (usual where stdout "
    "is\n"
    "                        no terminal); with -3 a container in a map, and a map in an array,\n"
    "                        is JSON. RESP2 knows no maps: their keys and values follow each "
    "other\n"
    "      --no-raw          replies for eyes, wherever they go\n"
    "      --json            replies as JSON, one a line; bytes that are not UTF-8 as\n"
    "                        {\"base64\": \"...\"}\n"
    "      --pipe            sends RESP from stdin as fast as it can, and counts the replies\n"
    "      --help, --version\n"
    "\n"
    "Exit code: 0; 1 after an error reply; 2 wrong usage; 3 no connection.\n";

enum long_only { OPT_USER = 256, OPT_RAW, OPT_NO_RAW, OPT_JSON, OPT_PIPE, OPT_HELP, OPT_VERSION };

static const struct option longs[] = {
    {"host", required_argument, NULL, 'h'},      {"port", required_argument, NULL, 'p'},
    {"url", required_argument, NULL, 'u'},       {"pass", required_argument, NULL, 'a'},
    {"user", required_argument, NULL, OPT_USER}, {"db", required_argument, NULL, 'n'},
    {"timeout", required_argument, NULL, 't'},   {"raw", no_argument, NULL, OPT_RAW},
    {"no-raw", no_argument, NULL, OPT_NO_RAW},   {"json", no_argument, NULL, OPT_JSON},
    {"pipe", no_argument, NULL, OPT_PIPE},       {"help", no_argument, NULL, OPT_HELP},
    {"version", no_argument, NULL, OPT_VERSION}, {NULL, 0, NULL, 0},
};

/* What was given, apart from the URL; flags tell 0 from not given. */
struct given {
    struct heapd_options connect;
    bool db;
    const char *url;
};

static enum options_result wrong(const char *option, const char *value, const char *why)
{
    fprintf(stderr, "heapctl: %s %s: %s\n", option, value, why);
    return OPTIONS_WRONG;
}

static enum options_result take_port(struct given *g, const char *text)
{
    char *end;
    long port = strtol(text, &end, 10);
    if (end == text || *end || port < 1 || port > UINT16_MAX)
        return wrong("-p", text, "a port is a number from 1 to 65535");
    g->connect.port = (uint16_t)port;
    return OPTIONS_RUN;
}

static enum options_result take_db(struct given *g, const char *text)
{
    char *end;
    long long db = strtoll(text, &end, 10);
    if (end == text || *end) return wrong("-n", text, "a database is a number");
    g->connect.db = db;
    g->db = true;
    return OPTIONS_RUN;
}

static enum options_result take_timeout(struct given *g, const char *text)
{
    char *end;
    double seconds = strtod(text, &end);
    if (end == text || *end || !(seconds >= 0 && seconds <= 1e6))
        return wrong("-t", text, "a timeout is a number of seconds");
    g->connect.timeout_ms = (int)ceil(seconds * 1000);
    return OPTIONS_RUN;
}

static enum options_result take(struct options *o, struct given *g, int option)
{
    switch (option) {
    case 'h': g->connect.host = optarg; break;
    case 'p': return take_port(g, optarg);
    case 'u': g->url = optarg; break;
    case 'a': g->connect.password = optarg; break;
    case OPT_USER: g->connect.user = optarg; break;
    case 'n': return take_db(g, optarg);
    case 't': return take_timeout(g, optarg);
    case '2': g->connect.protocol = 2; break;
    case '3': g->connect.protocol = 3; break;
    case OPT_RAW: o->format = FORMAT_RAW; break;
    case OPT_NO_RAW: o->format = FORMAT_PRETTY; break;
    case OPT_JSON: o->format = FORMAT_JSON; break;
    case OPT_PIPE: o->pipe = true; break;
    case OPT_HELP: fputs(usage, stdout); return OPTIONS_DONE;
    case OPT_VERSION: puts("heapctl " HEAPD_VERSION); return OPTIONS_DONE;
    default: fputs("Try heapctl --help.\n", stderr); return OPTIONS_WRONG;
    }
    return OPTIONS_RUN;
}

static enum options_result merge(struct options *o, const struct given *g)
{
    const char *why = NULL;
    if (g->url && heapd_url_parse(g->url, &o->url, &why) != HEAPD_OK)
        return wrong("-u", g->url, why);
    struct heapd_options *to = &o->connect;
    *to = o->url.options;
    if (g->connect.host) to->host = g->connect.host;
    if (g->connect.port != 0) to->port = g->connect.port;
    if (g->connect.user) to->user = g->connect.user;
    if (g->connect.password) to->password = g->connect.password;
    if (g->db) to->db = g->connect.db;
    to->timeout_ms = g->connect.timeout_ms;
    to->protocol = g->connect.protocol;
    if (to->protocol == 0) to->protocol = o->format == FORMAT_JSON ? 3 : 2;
    if (!to->host) to->host = HEAPD_HOST_DEFAULT;
    if (to->port == 0) to->port = HEAPD_PORT_DEFAULT;
    if (!to->password) to->password = getenv("REDISCLI_AUTH");
    if (o->pipe && o->argc > 0)
        return wrong("--pipe", o->argv[0], "commands come from stdin, none from the command line");
    return OPTIONS_RUN;
}

enum options_result options_init(struct options *o, int argc, char **argv)
{
    *o = (struct options){0};
    struct given given = {0};
    int option;
    /* + ends at the first word that is no option: what follows is the command's. */
    while ((option = getopt_long(argc, argv, "+h:p:u:a:n:t:23", longs, NULL)) != -1) {
        enum options_result result = take(o, &given, option);
        if (result != OPTIONS_RUN) return result;
    }
    o->argc = argc - optind;
    o->argv = argv + optind;
    return merge(o, &given);
}

void options_fini(struct options *o)
{
    heapd_url_fini(&o->url);
}
