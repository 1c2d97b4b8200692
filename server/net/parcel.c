#include "net/parcel.h"

#include <string.h>

#include "base/panic.h"

enum { BLOCK_BYTES_MIN = 256 };

/* --- the sheet --- */

void sheet_init(struct sheet *sheet, struct mem *mem)
{
    *sheet = (struct sheet){.mem = mem};
}

void sheet_fini(struct sheet *sheet)
{
    mem_free(sheet->mem, sheet->args, sheet->arg_room * sizeof *sheet->args);
    sheet->args = NULL;
    sheet->arg_room = 0;
}

static void begin(struct sheet *sheet)
{
    sheet->count = sheet->arg_count = 0;
    sheet->text = (struct view){0};
    if (sheet->arg_room > SHEET_ARGS_KEPT) sheet_fini(sheet);
}

static bool add(struct sheet *sheet, const struct proto_view *argv, uint32_t argc)
{
    if (argc == 0) return true;
    if (argc > sheet->arg_room - sheet->arg_count) {
        size_t room = 2 * (size_t)sheet->arg_room + argc;
        if (room < SHEET_ARGS_KEPT) room = SHEET_ARGS_KEPT;
        if (room > UINT32_MAX) return false;
        struct view *args = mem_realloc(sheet->mem, sheet->args, sheet->arg_room * sizeof *args,
                                        room * sizeof *args);
        if (!args) return false;
        sheet->args = args;
        sheet->arg_room = (uint32_t)room;
    }
    memcpy(sheet->args + sheet->arg_count, argv, argc * sizeof *argv);
    sheet->arg_count += argc;
    sheet->argc[sheet->count++] = argc;
    return true;
}

/* The plain requests at the front; returns their length. Those that find no memory are left to the
 * reader. */
static size_t read_batch(struct sheet *sheet, const struct request_limits *limits,
                         struct view bytes)
{
    struct request_batch *batch = &sheet->batch;
    size_t at = 0;
    request_batch_read(batch, limits, CONN_SHARE_COMMANDS - sheet->count, bytes.p, bytes.n);
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct batch_request *r = &batch->requests[i];
        if (!add(sheet, r->argv, r->argc)) break;
        at += r->bytes;
    }
    return at;
}

enum request_status sheet_read(struct sheet *sheet, struct request_reader *reader,
                               struct view bytes, size_t *used)
{
    size_t at = 0;
    enum request_status status = REQUEST_READY;
    begin(sheet);
    while (at < bytes.n && at < CONN_SHARE_BYTES && sheet->count < CONN_SHARE_COMMANDS &&
           !sheet->text.n) {
        struct view rest = {bytes.p + at, bytes.n - at};
        size_t plain = request_reader_begins(reader) ? read_batch(sheet, &reader->limits, rest) : 0;
        at += plain;
        if (plain) continue;
        status = request_reader_next(reader, rest.p, rest.n);
        if (status != REQUEST_READY) break;
        if (!add(sheet, reader->argv, reader->argc)) {
            status = REQUEST_OOM;
            break;
        }
        at += reader->bytes;
        sheet->text = (struct view){reader->text.p, reader->text.n};
    }
    *used = at;
    return status;
}

/* --- the parcel --- */

void parcel_init(struct parcel *p)
{
    *p = (struct parcel){0};
    inbox_init(&p->along);
    bulks_init(&p->bulks);
    replies_init(&p->out);
}

void parcel_empty(struct parcel *p, struct mem *m)
{
    if (p->block) mem_free(m, p->block, p->block_bytes);
    if (p->along.p) inbox_fini(&p->along, m);
    bulks_fini(&p->bulks, m);
    p->block = NULL;
    p->block_bytes = 0;
    p->argc = NULL;
    p->next = NULL;
    p->count = p->taken = 0;
}

void parcel_fini(struct parcel *p, struct mem *m)
{
    parcel_empty(p, m);
}

/* Views of what lay in `from` show the copy at `to`. An empty one may lie at the very end; what
 * begins there and is not empty belongs to a buffer that happens to follow. */
static void rebase(struct view *args, uint32_t count, struct view from, const char *to)
{
    for (uint32_t i = 0; i < count; i++) {
        size_t at = (size_t)((uintptr_t)args[i].p - (uintptr_t)from.p);
        if (at < from.n || (at == from.n && args[i].n == 0)) args[i].p = to + at;
    }
}

/* Blocks live shortly and are of any length: a few lengths are used again, many would each leave
 * pages of their own with the allocator. */
static size_t cap_for(size_t bytes)
{
    size_t cap = BLOCK_BYTES_MIN;
    while (cap < bytes && cap < INBOX_BLOCK_BYTES) cap *= 4;
    return cap < bytes ? bytes : cap;
}

enum status parcel_pack(struct parcel *p, const struct sheet *sheet, struct view bytes,
                        struct inbox *from, struct bulks *bulks)
{
    DASSERT(!p->block);
    size_t rest = from ? inbox_bytes(from) - bytes.n : 0;
    bool along = from && bytes.n > PARCEL_COPY_BYTES && bytes.n > rest;
    size_t copied = along ? 0 : bytes.n;
    size_t args_bytes = sheet->arg_count * sizeof *sheet->args;
    size_t argc_bytes = (sheet->count * sizeof *sheet->argc + 7) / 8 * 8;
    size_t total = cap_for(argc_bytes + args_bytes + copied + sheet->text.n);
    struct inbox fresh;
    inbox_init(&fresh);
    char *block = mem_alloc(sheet->mem, total);
    if (!block) return STATUS_OOM;
    if (along && inbox_replace(&fresh, sheet->mem, (struct view){bytes.p + bytes.n, rest})) {
        mem_free(sheet->mem, block, total);
        return STATUS_OOM;
    }
    struct view *args = (struct view *)(void *)(block + argc_bytes);
    char *text = block + argc_bytes + args_bytes;
    memcpy(block, sheet->argc, sheet->count * sizeof *sheet->argc);
    memcpy(args, sheet->args, args_bytes);
    if (sheet->text.n) {
        memcpy(text + copied, sheet->text.p, sheet->text.n);
        rebase(args, sheet->arg_count, sheet->text, text + copied);
    }
    if (along) {
        p->along = *from;
        *from = fresh;
    } else {
        memcpy(text, bytes.p, copied);
        rebase(args, sheet->arg_count, bytes, text);
        if (from) inbox_skip(from, sheet->mem, bytes.n);
    }
    p->bulks = *bulks;
    *bulks = (struct bulks){.probes = bulks->first != NULL};
    p->block = block;
    p->block_bytes = total;
    p->argc = (const uint32_t *)(const void *)block;
    p->next = args;
    p->count = sheet->count;
    p->taken = 0;
    return STATUS_OK;
}

int parcel_check(const struct parcel *p)
{
    if (p->taken > p->count) return 1;
    const char *args = p->block;
    uint64_t before = 0;
    for (uint32_t i = 0; i < p->taken; i++) before += p->argc[i];
    if (p->count) args += ((size_t)p->count * sizeof *p->argc + 7) / 8 * 8;
    if ((const char *)p->next != args + before * sizeof *p->next) return 1;
    if (!p->count && (p->block || p->along.p || p->bulks.first)) return 2;
    return 0;
}
