#include "command/prefetch.h"

#include "base/panic.h"

/* What a smaller heap uses is in the processor's cache. */
#define PREFETCH_HEAP_BYTES_MIN (UINT64_C(1) << 20)

/* Overflow buckets that are looked at for an entry; more are rare. */
enum { OVERFLOW_LOOKS = 3 };

/* The keys of a batch: their hashes, and where each one's entry is to be looked for next. */
struct keys {
    uint32_t count;
    uint32_t hashes[PREFETCH_REQUESTS_MAX];
    const void *chains[PREFETCH_REQUESTS_MAX];
};

/* Finds the rows of the commands, and hashes the keys of those that have one. A pipeline mostly
 * repeats one command, spelled in one way. */
static void find_keys(const struct engine *s, struct request *requests, uint32_t count,
                      struct keys *keys)
{
    const struct command *command = NULL;
    struct view name = {0};
    keys->count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct request *r = &requests[i];
        if (i == 0 || !view_eq(name, r->argv[0])) {
            name = r->argv[0];
            command = command_find(name);
        }
        if (!command || command->first_key <= 0 || (uint32_t)command->first_key >= r->argc)
            continue;
        r->command = command;
        uint32_t hash = keyspace_hash(&s->keyspace, r->argv[command->first_key]);
        r->key_hash = hash;
        keys->hashes[keys->count++] = hash;
        keyspace_prefetch_directory(&s->keyspace, hash);
    }
}

static void fetch_buckets(const struct engine *s, const struct keys *keys)
{
    for (uint32_t i = 0; i < keys->count; i++)
        keyspace_prefetch_bucket(&s->keyspace, keys->hashes[i]);
}

/* True when some entries are to be looked for in overflow buckets. */
static bool fetch_entries(const struct engine *s, struct keys *keys)
{
    bool more = false;
    for (uint32_t i = 0; i < keys->count; i++) {
        keys->chains[i] = keyspace_prefetch_entry(&s->keyspace, keys->hashes[i], NULL);
        more |= keys->chains[i] != NULL;
    }
    return more;
}

static bool fetch_chained_entries(const struct engine *s, struct keys *keys)
{
    bool more = false;
    for (uint32_t i = 0; i < keys->count; i++) {
        if (!keys->chains[i]) continue;
        keys->chains[i] = keyspace_prefetch_entry(&s->keyspace, keys->hashes[i], keys->chains[i]);
        more |= keys->chains[i] != NULL;
    }
    return more;
}

/* Each loop asks for what the next one looks at, for all keys, so that the waits overlap. */
void prefetch_requests(const struct engine *s, struct request *requests, uint32_t count)
{
    struct keys keys;
    DASSERT(count <= PREFETCH_REQUESTS_MAX);
    find_keys(s, requests, count, &keys);
    if (heap_used_bytes(&s->heap) < PREFETCH_HEAP_BYTES_MIN) return;
    fetch_buckets(s, &keys);
    bool more = fetch_entries(s, &keys);
    for (int i = 0; more && i < OVERFLOW_LOOKS; i++) more = fetch_chained_entries(s, &keys);
}
