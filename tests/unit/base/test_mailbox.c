/*
 * Mailboxes: order, emptiness, and threads that put while another takes.
 *
 * Method: senders number their letters and write into each a word that the taker reads back; built
 * with HEAPD_TSAN, the thread sanitizer sees whether that word was handed over.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>

#include "base/mailbox.h"

enum { SENDERS = 3, LETTERS = 20000, BUNDLE_MAX = 7 };

struct numbered {
    struct letter letter;
    int sender, number;
};

struct sender {
    pthread_t thread;
    struct mailbox *to;
    int index;
    int wakes; /* how often the box was empty */
    struct numbered letters[LETTERS];
};

static void test_order_and_emptiness(void **state)
{
    (void)state;
    struct mailbox m = {0};
    struct bundle b = {0};
    struct letter l[5];
    assert_null(mailbox_take(&m));
    assert_false(mailbox_put(&m, &b));
    for (int i = 0; i < 3; i++) bundle_add(&b, &l[i]);
    assert_true(mailbox_put(&m, &b));
    assert_null(b.newest);
    assert_null(b.oldest);
    for (int i = 3; i < 5; i++) bundle_add(&b, &l[i]);
    assert_false(mailbox_put(&m, &b));
    const struct letter *at = mailbox_take(&m);
    for (int i = 0; i < 5; i++, at = at->next) assert_ptr_equal(at, &l[i]);
    assert_null(at);
    assert_null(mailbox_take(&m));
    bundle_add(&b, &l[0]);
    assert_true(mailbox_put(&m, &b));
}

static void *send_all(void *arg)
{
    struct sender *s = arg;
    struct bundle b = {0};
    for (int i = 0; i < LETTERS; i++) {
        s->letters[i].sender = s->index;
        s->letters[i].number = i;
        bundle_add(&b, &s->letters[i].letter);
        if (i % BUNDLE_MAX == s->index) s->wakes += mailbox_put(s->to, &b);
    }
    s->wakes += mailbox_put(s->to, &b);
    return NULL;
}

static void test_many_threads_put(void **state)
{
    (void)state;
    static struct sender senders[SENDERS];
    struct mailbox m = {0};
    int next[SENDERS] = {0}, taken = 0, batches = 0, wakes = 0;
    for (int i = 0; i < SENDERS; i++) {
        senders[i].to = &m;
        senders[i].index = i;
        assert_int_equal(pthread_create(&senders[i].thread, NULL, send_all, &senders[i]), 0);
    }
    while (taken < SENDERS * LETTERS) {
        const struct letter *l = mailbox_take(&m);
        if (!l) sched_yield();
        batches += l != NULL;
        for (; l; l = l->next, taken++) {
            const struct numbered *n = (const struct numbered *)l;
            assert_int_equal(n->number, next[n->sender]);
            next[n->sender]++;
        }
    }
    for (int i = 0; i < SENDERS; i++) {
        pthread_join(senders[i].thread, NULL);
        wakes += senders[i].wakes;
    }
    assert_int_equal(wakes, batches); /* each time the box filled, exactly one of them was told */
    assert_null(mailbox_take(&m));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_emptiness),
        cmocka_unit_test(test_many_threads_put),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
