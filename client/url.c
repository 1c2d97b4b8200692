#include <stdlib.h>
#include <string.h>

#include "client/heapd.h"

static bool starts(const char **at, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i < n; i++) {
        char c = (*at)[i];
        if (c >= 'A' && c <= 'Z') c = (char)(c | 0x20);
        if (c != word[i]) return false;
    }
    *at += n;
    return true;
}

static int hex(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* Undoes percent-encoding in place. A NUL cannot be part of a C string, so %00 is refused. */
static bool decode(char *text)
{
    char *to = text;
    for (const char *from = text; *from; from++) {
        if (*from != '%') {
            *to++ = *from;
            continue;
        }
        int high = hex(from[1]);
        int low = high >= 0 ? hex(from[2]) : -1;
        if (low < 0 || high + low == 0) return false;
        *to++ = (char)(16 * high + low);
        from += 2;
    }
    *to = 0;
    return true;
}

static bool number(const char *text, uint64_t max, uint64_t *out)
{
    uint64_t sum = 0;
    if (!*text) return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9') return false;
        uint64_t digit = (uint64_t)(*text - '0');
        if (sum > (max - digit) / 10) return false;
        sum = 10 * sum + digit;
    }
    *out = sum;
    return true;
}

/* user, user:password or :password */
static const char *credentials(char *text, struct heapd_options *o)
{
    char *colon = strchr(text, ':');
    if (colon) *colon = 0;
    if (!decode(text) || (colon && !decode(colon + 1)))
        return "a % in the user or the password is not followed by two hex digits";
    if (*text) o->user = text;
    if (colon) o->password = colon + 1;
    return o->user && !o->password ? "a user without a password" : NULL;
}

/* host, host:port, [address] or [address]:port; each part may be missing */
static const char *location(char *text, struct heapd_options *o)
{
    char *host = text, *colon;
    if (*text == '[') {
        char *end = strchr(text, ']');
        if (!end) return "a [ without its ]";
        *end = 0;
        host = text + 1;
        colon = end + 1;
        if (*colon && *colon != ':') return "something behind the ] that is no port";
    } else {
        colon = text + strcspn(text, ":");
    }
    if (*colon == ':') {
        uint64_t port = 0;
        *colon = 0;
        if (!number(colon + 1, UINT16_MAX, &port) || port == 0)
            return "the port is not a number from 1 to 65535";
        o->port = (uint16_t)port;
    }
    if (!decode(host)) return "a % in the host is not followed by two hex digits";
    if (*host) o->host = host;
    return NULL;
}

static const char *database(const char *text, struct heapd_options *o)
{
    uint64_t db = 0;
    if (*text && !number(text, INT32_MAX, &db)) return "the database is not a number";
    o->db = (int64_t)db;
    return NULL;
}

static const char *parse(char *text, struct heapd_options *o)
{
    const char *wrong = NULL;
    if (text[strcspn(text, "?#")] != 0) return "there are no parameters: ? or #";
    /* The last @ before the path: passwords with an unencoded @ are common. */
    char *slash = strrchr(text, '/');
    char *at = strrchr(text, '@');
    if (slash && at && slash < at) slash = NULL;
    if (slash) {
        *slash = 0;
        wrong = database(slash + 1, o);
    }
    if (!wrong && at) {
        *at = 0;
        wrong = credentials(text, o);
    }
    return wrong ? wrong : location(at ? at + 1 : text, o);
}

enum heapd_status heapd_url_parse(const char *url, struct heapd_url *out, const char **error)
{
    *out = (struct heapd_url){0};
    const char *rest = url;
    if (starts(&rest, "rediss://")) {
        *error = "rediss:// (TLS) is not supported";
        return HEAPD_INVALID;
    }
    if (!starts(&rest, "redis://") && !starts(&rest, "heapd://")) {
        *error = "it does not begin with redis://";
        return HEAPD_INVALID;
    }
    out->text = strdup(rest);
    if (!out->text) {
        *error = "out of memory";
        return HEAPD_OOM;
    }
    const char *wrong = parse(out->text, &out->options);
    if (!wrong) return HEAPD_OK;
    heapd_url_fini(out);
    *error = wrong;
    return HEAPD_INVALID;
}

void heapd_url_fini(struct heapd_url *url)
{
    free(url->text);
    *url = (struct heapd_url){0};
}
