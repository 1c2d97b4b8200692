#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "client/conn.h"

#define TABLE_ROOM_FIRST ((size_t)16)
/* RELEASE is sent for at most so many at a time: far below a server's limit on arguments. */
#define RELEASE_COUNT_MAX ((size_t)100000)
/* "&:" and 16 digits. */
enum { HANDLE_BYTES_MAX = 18 };

struct heapd_scope_handle {
    char text[HANDLE_BYTES_MAX + 1];
};

/* A removed handle leaves this in its slot, for others may have been placed behind it. */
static struct heapd_scope_handle removed;

void heapd_scope_begin(struct heapd_scope *scope, struct heapd *h)
{
    *scope = (struct heapd_scope){.h = h, .outer = h->scope, .connection = h->connection};
    h->scope = scope;
}

/* FNV-1a: the keys are short and a server's own. */
static size_t hash(const char *text)
{
    uint64_t sum = 14695981039346656037U;
    for (; *text; text++) sum = (sum ^ (unsigned char)*text) * 1099511628211U;
    return (size_t)(sum ^ (sum >> 32));
}

/* The slot that holds the text, or the free one where it would stand. The table has room. */
static struct heapd_scope_handle **slot(const struct heapd_scope *scope, const char *text)
{
    size_t at = hash(text) & (scope->room - 1);
    while (scope->table[at] && strcmp(scope->table[at]->text, text) != 0)
        at = (at + 1) & (scope->room - 1);
    return &scope->table[at];
}

/* Looks in the scope and in those around it, if they are of the same connection. */
static struct heapd_scope_handle *find(const struct heapd_scope *scope, const char *text)
{
    uint64_t connection = scope->connection;
    for (; scope && scope->connection == connection; scope = scope->outer) {
        struct heapd_scope_handle *found = scope->room > 0 ? *slot(scope, text) : NULL;
        if (found) return found;
    }
    return NULL;
}

static bool table_grow(struct heapd_scope *scope)
{
    struct heapd_scope bigger = *scope;
    bigger.room = scope->room > 0 ? 2 * scope->room : TABLE_ROOM_FIRST;
    bigger.table = calloc(bigger.room, sizeof(struct heapd_scope_handle *));
    if (!bigger.table) return false;
    bigger.count = 0; /* removed slots are left behind, and no longer counted */
    for (size_t i = 0; i < scope->room; i++) {
        if (!scope->table[i] || scope->table[i] == &removed) continue;
        *slot(&bigger, scope->table[i]->text) = scope->table[i];
        bigger.count++;
    }
    free(scope->table);
    *scope = bigger;
    return true;
}

static bool is_handle(const struct heapd_reply *reply)
{
    if (reply->type != HEAPD_REPLY_BULK && reply->type != HEAPD_REPLY_SIMPLE &&
        reply->type != HEAPD_REPLY_VERBATIM)
        return false;
    if (reply->n < 3 || reply->n > HANDLE_BYTES_MAX || memcmp(reply->text, "&:", 2) != 0)
        return false;
    return strspn(reply->text + 2, "0123456789abcdef") == reply->n - 2;
}

const char *heapd_scope_take(struct heapd_scope *scope, const struct heapd_reply *reply)
{
    if (!is_handle(reply)) return NULL;
    struct heapd_scope_handle *held = find(scope, reply->text);
    if (held) return held->text;
    if (scope->count >= scope->room / 2 && !table_grow(scope)) return NULL;
    held = calloc(1, sizeof *held);
    if (!held) return NULL;
    memcpy(held->text, reply->text, reply->n);
    *slot(scope, held->text) = held;
    scope->count++;
    return held->text;
}

const char *heapd_scope_call_strings(struct heapd_scope *scope, const char *command, ...)
{
    va_list args;
    va_start(args, command);
    struct heapd_reply *reply = heapd_conn_call_list(scope->h, command, args);
    va_end(args);
    if (!reply) return NULL;
    const char *handle = heapd_scope_take(scope, reply);
    if (heapd_is_error(reply))
        heapd_conn_note(scope->h, HEAPD_REFUSED, "%s", reply->text);
    else if (reply->type == HEAPD_REPLY_NULL)
        heapd_conn_note(scope->h, HEAPD_OK, "%s", "");
    else if (!handle)
        heapd_conn_note(scope->h, HEAPD_BROKEN,
                        "The reply is no handle, or there is no memory for it");
    heapd_reply_free(reply);
    return handle;
}

/* Handles of a connection that is gone went with it. */
static bool alive(const struct heapd_scope *scope)
{
    return scope->h->fd >= 0 && scope->h->connection == scope->connection;
}

bool heapd_scope_drop(struct heapd_scope *scope, const char *handle)
{
    struct heapd_scope_handle **at = scope->room > 0 ? slot(scope, handle) : NULL;
    if (!at || !*at || !alive(scope)) return false;
    struct heapd_scope_handle *held = *at;
    struct heapd_reply *reply = heapd_call(scope->h, "RELEASE", held->text);
    *at = &removed;
    free(held);
    bool done = reply && !heapd_is_error(reply);
    heapd_reply_free(reply);
    return done;
}

static void release(struct heapd_scope *scope, size_t argc, const struct proto_view *argv)
{
    if (argc == 1 || !alive(scope)) return;
    /* A handle that the caller released himself gives an error, which is as good. */
    heapd_reply_free(heapd_call_argv(scope->h, argc, argv));
}

/* One by one, when there is no memory for the arguments of one RELEASE. */
static void release_slowly(struct heapd_scope *scope)
{
    for (size_t i = 0; i < scope->room; i++) {
        const struct heapd_scope_handle *held = scope->table[i];
        if (!held || held == &removed) continue;
        release(scope, 2, (struct proto_view[]){{"RELEASE", 7}, {held->text, strlen(held->text)}});
    }
}

static void release_all(struct heapd_scope *scope)
{
    size_t room = 1 + (scope->count < RELEASE_COUNT_MAX ? scope->count : RELEASE_COUNT_MAX);
    struct proto_view *argv = malloc(room * sizeof *argv);
    if (!argv) {
        release_slowly(scope);
        return;
    }
    size_t argc = 0;
    argv[argc++] = (struct proto_view){"RELEASE", 7};
    for (size_t i = 0; i < scope->room; i++) {
        const struct heapd_scope_handle *held = scope->table[i];
        if (!held || held == &removed) continue;
        argv[argc++] = (struct proto_view){held->text, strlen(held->text)};
        if (argc < room) continue;
        release(scope, argc, argv);
        argc = 1;
    }
    release(scope, argc, argv);
    free(argv);
}

void heapd_scope_end(struct heapd_scope *scope)
{
    if (scope->count > 0) release_all(scope);
    for (size_t i = 0; i < scope->room; i++)
        if (scope->table[i] != &removed) free(scope->table[i]);
    free(scope->table);
    if (scope->h && scope->h->scope == scope) scope->h->scope = scope->outer;
    *scope = (struct heapd_scope){0};
}
