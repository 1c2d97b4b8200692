#include "monitor/host.h"

#include <string.h>
#include <strings.h>

enum { HOST_CHARS_MAX = 255 }; /* of a name in DNS */

static bool is_port(const char *text)
{
    return text[0] == ':' && text[1] && strspn(text + 1, "0123456789") == strlen(text + 1);
}

/* The name or number without brackets, port, and the dot that may end a name. */
static bool host_name(char out[HOST_CHARS_MAX + 1], const char *host)
{
    const char *begin = host, *end;
    if (*host == '[') {
        begin = host + 1;
        end = strchr(begin, ']');
        if (!end || (end[1] && !is_port(end + 1))) return false;
    } else {
        end = host + strcspn(host, ":");
        if (*end && !is_port(end)) return false;
        if (end > begin + 1 && end[-1] == '.') end--;
    }
    size_t chars = (size_t)(end - begin);
    if (chars == 0 || chars > HOST_CHARS_MAX) return false;
    memcpy(out, begin, chars);
    out[chars] = '\0';
    return true;
}

static bool is_among(const char *name, const char *words)
{
    size_t chars = strlen(name);
    for (const char *at = words; *at;) {
        size_t n = strcspn(at, " ");
        if (n == chars && strncasecmp(at, name, n) == 0) return true;
        at += n;
        at += strspn(at, " ");
    }
    return false;
}

/* Every address is, where http-bind is every address of a family: ports may be mapped. */
static bool is_bound(const struct address_list *bound, const struct sockaddr *at)
{
    for (size_t i = 0; i < bound->count; i++)
        if (address_is_any(&bound->of[i].at.any)) return true;
    return address_is_in(bound, at);
}

bool host_is_served(const struct config *config, const struct address_list *bound, const char *host)
{
    if (!host) return true;
    char name[HOST_CHARS_MAX + 1];
    if (!host_name(name, host)) return false;
    struct address a;
    if (address_parse(&a, name))
        return address_is_loopback(&a.at.any) || is_bound(bound, &a.at.any) ||
               is_among(name, config->http_hosts);
    return strcasecmp(name, "localhost") == 0 || strcasecmp(name, config->http_bind) == 0 ||
           is_among(name, config->http_hosts);
}
