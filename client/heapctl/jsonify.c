#include "client/heapctl/jsonify.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/writer.h"

static json_t *base64(const char *p, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *text = malloc((n + 2) / 3 * 4 + 1), *to = text;
    if (!text) return NULL;
    for (; n > 0; p += n < 3 ? n : 3, n -= n < 3 ? n : 3) {
        const unsigned char *in = (const unsigned char *)p;
        unsigned bits = (unsigned)in[0] << 16;
        if (n > 1) bits |= (unsigned)in[1] << 8;
        if (n > 2) bits |= in[2];
        *to++ = digits[bits >> 18];
        *to++ = digits[bits >> 12 & 63];
        *to++ = n > 1 ? digits[bits >> 6 & 63] : '=';
        *to++ = n > 2 ? digits[bits & 63] : '=';
    }
    json_t *out = json_pack("{s:s#}", "base64", text, (int)(to - text));
    free(text);
    return out;
}

static json_t *bytes(const char *p, size_t n)
{
    /* jansson refuses what is not UTF-8; lack of memory shows at the second try. */
    json_t *out = json_stringn(p, n);
    return out ? out : base64(p, n);
}

/* {"name": text} */
static json_t *named(const char *name, const struct heapd_reply *reply)
{
    json_t *text = bytes(reply->text, reply->n);
    return text ? json_pack("{s:o}", name, text) : NULL;
}

static json_t *array(const struct heapd_reply *children, size_t n)
{
    json_t *out = json_array();
    for (size_t i = 0; i < n && out; i++) {
        /* Steals, and fails on NULL. */
        if (json_array_append_new(out, jsonify_reply(&children[i])) == 0) continue;
        json_decref(out);
        out = NULL;
    }
    return out;
}

static json_t *pairs(const struct heapd_reply *map)
{
    json_t *out = json_array();
    for (size_t i = 0; i < map->n && out; i++) {
        if (json_array_append_new(out, array(&map->children[2 * i], 2)) == 0) continue;
        json_decref(out);
        out = NULL;
    }
    return out;
}

/* The text of a key; `number` has PROTO_I64_BYTES_MAX bytes. p is NULL if it cannot be one. */
static struct proto_view key_text(const struct heapd_reply *key, char *number)
{
    switch (key->type) {
    case HEAPD_REPLY_SIMPLE:
    case HEAPD_REPLY_BULK:
    case HEAPD_REPLY_DOUBLE:
    case HEAPD_REPLY_BIG_NUMBER: return (struct proto_view){key->text, key->n};
    case HEAPD_REPLY_INTEGER:
        return (struct proto_view){number, proto_format_i64(number, key->integer)};
    case HEAPD_REPLY_ERROR:
    case HEAPD_REPLY_ARRAY:
    case HEAPD_REPLY_NULL:
    case HEAPD_REPLY_BOOL:
    case HEAPD_REPLY_VERBATIM:
    case HEAPD_REPLY_MAP:
    case HEAPD_REPLY_SET:
    case HEAPD_REPLY_PUSH:
    case HEAPD_REPLY_ATTRIBUTE: break;
    }
    return (struct proto_view){NULL, 0};
}

/* An object of the keys, with nulls; NULL if they cannot be one. Looked at before any value is
 * made, for a retreat behind the values would double the work at every level. */
static json_t *keys(const struct heapd_reply *map)
{
    json_t *out = json_object();
    for (size_t i = 0; i < map->n && out; i++) {
        char number[PROTO_I64_BYTES_MAX];
        struct proto_view key = key_text(&map->children[2 * i], number);
        if (key.p && !json_object_getn(out, key.p, key.n) &&
            json_object_setn_new(out, key.p, key.n, json_null()) == 0)
            continue;
        json_decref(out);
        out = NULL;
    }
    return out;
}

static json_t *object(const struct heapd_reply *map)
{
    json_t *out = keys(map);
    if (!out) return pairs(map);
    for (size_t i = 0; i < map->n && out; i++) {
        char number[PROTO_I64_BYTES_MAX];
        struct proto_view key = key_text(&map->children[2 * i], number);
        json_t *value = jsonify_reply(&map->children[2 * i + 1]);
        /* Steals, and fails on NULL. */
        if (json_object_setn_new(out, key.p, key.n, value) == 0) continue;
        json_decref(out);
        out = NULL;
    }
    return out;
}

json_t *jsonify_reply(const struct heapd_reply *reply)
{
    switch (reply->type) {
    case HEAPD_REPLY_SIMPLE:
    case HEAPD_REPLY_BULK:
    case HEAPD_REPLY_BIG_NUMBER: return bytes(reply->text, reply->n);
    case HEAPD_REPLY_ERROR: return named("error", reply);
    case HEAPD_REPLY_INTEGER: return json_integer(reply->integer);
    case HEAPD_REPLY_NULL: return json_null();
    case HEAPD_REPLY_BOOL: return json_boolean(reply->integer != 0);
    case HEAPD_REPLY_DOUBLE:
        return isfinite(reply->number) ? json_real(reply->number) : bytes(reply->text, reply->n);
    case HEAPD_REPLY_VERBATIM:
        if (strcmp(reply->format, "ref") == 0) return named("ref", reply);
        return bytes(reply->text, reply->n);
    case HEAPD_REPLY_ARRAY:
    case HEAPD_REPLY_SET:
    case HEAPD_REPLY_PUSH: return array(reply->children, reply->n);
    case HEAPD_REPLY_MAP:
    case HEAPD_REPLY_ATTRIBUTE: return object(reply);
    }
    return NULL;
}

bool jsonify_put(FILE *to, const struct heapd_reply *reply)
{
    json_t *json = jsonify_reply(reply);
    bool done = json && json_dumpf(json, to, JSON_COMPACT | JSON_ENCODE_ANY) == 0;
    json_decref(json);
    return done;
}

bool jsonify_print(FILE *to, const struct heapd_reply *reply)
{
    bool done = jsonify_put(to, reply);
    putc('\n', to);
    return done;
}
