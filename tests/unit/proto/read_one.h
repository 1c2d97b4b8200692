/* A reply that is there as a whole. */
#ifndef TEST_PROTO_READ_ONE_H
#define TEST_PROTO_READ_ONE_H

#include "cmocka_all.h"
#include "proto/reply.h"

static inline struct heapd_reply *read_one(const char *bytes, size_t n)
{
    struct reply_reader r;
    struct heapd_reply *reply = NULL;
    reply_reader_init(&r, NULL);
    assert_int_equal(reply_reader_feed(&r, bytes, n), REPLY_READY);
    assert_int_equal(reply_reader_next(&r, &reply), REPLY_READY);
    reply_reader_fini(&r);
    return reply;
}

#endif
