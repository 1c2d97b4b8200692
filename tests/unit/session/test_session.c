/*
 * Goal: the registry knows who is there and how many handles are held, and what a client held goes
 * in bounded steps once it has gone.
 * Method: sessions on a real heap; world_check recounts the registry and the heap.
 */
#include "world.h"

static void test_open_and_close(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    for (int i = 0; i < WORLD_SESSIONS; i++) world_open(&w, i);
    const struct session *s = &w.session[3];
    assert_int_equal(s->id, 4); /* from 1 on, never again */
    assert_int_equal(s->protocol, 2);
    assert_false(s->authenticated);
    assert_int_equal(s->created_ns, 1000);
    assert_string_equal(s->name, "");
    assert_ptr_equal(sessions_find(&w.sessions, 4), s);
    world_check(&w);
    session_close(&w.sessions, &w.session[0]);                  /* the last of the list */
    session_close(&w.sessions, &w.session[3]);                  /* in the middle */
    session_close(&w.sessions, &w.session[WORLD_SESSIONS - 1]); /* the first */
    assert_null(sessions_find(&w.sessions, 4));
    assert_int_equal(w.sessions.count, WORLD_SESSIONS - 3);
    world_check(&w);
    world_open(&w, 3);
    assert_int_equal(w.session[3].id, WORLD_SESSIONS + 1);
    world_check(&w);
    world_fini(&w);
}

static int cancelled;

static void count_cancel(struct sessions *ss, struct wait *w)
{
    assert_non_null(ss);
    assert_non_null(w->type);
    cancelled++;
}

static void test_close_waiting(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    world_open(&w, 0);
    world_open(&w, 1);
    struct wait_queue source = {0};
    static const struct wait_type type = {.cancel = count_cancel};
    cancelled = 0;
    session_wait(&w.sessions, &w.session[0], &type, &source);
    assert_int_equal(wait_check(&w.session[0].wait), 0);
    session_close(&w.sessions, &w.session[1]);
    assert_int_equal(w.sessions.waiting, 1);
    session_close(&w.sessions, &w.session[0]);
    assert_int_equal(w.sessions.waiting, 0);
    assert_int_equal(cancelled, 1);
    assert_null(source.first);
    world_fini(&w);
}

/* Woken in the order in which they began to wait; one that is not ready goes to the end of its
 * source; one that closes is in no queue. */
static void test_woken_in_order(void **state)
{
    (void)state;
    struct world w;
    struct wait_queue source = {0}, other = {0};
    static const struct wait_type type = {0};
    world_init(&w);
    struct wait_queue *woken = &w.sessions.woken;
    for (int i = 0; i < 4; i++) {
        world_open(&w, i);
        session_wait(&w.sessions, &w.session[i], &type, i == 3 ? &other : &source);
    }
    wait_wake_all(&source, woken);
    assert_null(source.first);
    assert_ptr_equal(session_of_wait(woken->first), &w.session[0]);
    assert_ptr_equal(session_of_wait(woken->last), &w.session[2]);
    wait_wake(&w.session[0].wait, woken); /* once more: it keeps its place */
    assert_ptr_equal(session_of_wait(woken->first), &w.session[0]);
    wait_sleep(&w.session[0].wait);
    wait_sleep(&w.session[0].wait);
    assert_ptr_equal(session_of_wait(source.first), &w.session[0]);
    session_close(&w.sessions, &w.session[1]);
    assert_ptr_equal(session_of_wait(woken->first), &w.session[2]);
    for (int i = 0; i < 4; i++)
        if (i != 1) assert_int_equal(wait_check(&w.session[i].wait), 0);
    session_wait_end(&w.sessions, &w.session[2]);
    assert_null(woken->first);
    assert_int_equal(w.sessions.waiting, 2);
    world_fini(&w);
    assert_null(source.first);
    assert_null(other.first);
}

/* The count covers the open and the buried, whoever releases what. */
static void test_handles_counted(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    val shared = world_container(&w, 0);
    for (int i = 0; i < 3; i++) {
        world_open(&w, i);
        (void)world_hold(&w, i, shared);
        for (int k = 0; k < 200; k++) (void)world_hold(&w, i, val_of_small(k));
        handles_commit(&w.heap, &w.session[i].handles);
    }
    assert_int_equal(sessions_handles(&w.sessions), 603);
    world_check(&w);
    session_close(&w.sessions, &w.session[0]);
    session_close(&w.sessions, &w.session[1]);
    assert_int_equal(sessions_handles(&w.sessions), 603);
    assert_int_equal(w.sessions.buried_count, 2);
    world_check(&w);
    int steps = 1;
    while (sessions_step(&w.sessions, 16)) {
        world_check(&w);
        steps++;
    }
    assert_true(steps >= 402 / 32);
    assert_int_equal(sessions_handles(&w.sessions), 201);
    assert_int_equal(w.held[0]->roots, 1);
    assert_false(sessions_step(&w.sessions, 16));
    world_check(&w);
    world_fini(&w);
}

/* A client that vanishes with 100,000 handles: closing costs nothing, each step is bounded, and the
 * containers die as their handles go. */
static void test_hundred_thousand_handles(void **state)
{
    (void)state;
    enum { MANY = 100000, STEP = 128 };
    struct world w;
    world_init(&w);
    world_open(&w, 0);
    struct handles *hs = &w.session[0].handles;
    for (int i = 0; i < MANY; i++) {
        struct obj *o = heap_container_new(&w.heap, i % 2 ? OBJ_HASH : OBJ_LIST);
        assert_non_null(o);
        (void)world_hold(&w, 0, val_of_obj(o));
        handles_commit(&w.heap, hs);
        rc_dec(&w.heap, o);
    }
    assert_int_equal(heap_objects(&w.heap), MANY);
    session_close(&w.sessions, &w.session[0]);
    assert_int_equal(sessions_handles(&w.sessions), MANY);
    assert_int_equal(heap_objects(&w.heap), MANY);
    uint64_t left = MANY;
    while (sessions_step(&w.sessions, STEP)) {
        uint64_t now = sessions_handles(&w.sessions);
        assert_true(left - now <= 2 * STEP);
        assert_int_equal(heap_objects(&w.heap) - w.heap.release_pending, now);
        if (now % 1000 < STEP) world_check(&w);
        left = now;
        (void)heap_release_step(&w.heap, STEP);
    }
    world_fini(&w);
}

static void test_reset(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    world_open(&w, 0);
    struct session *s = &w.session[0];
    (void)world_container(&w, 0);
    /* Again and again, before the graves are empty. */
    for (int i = 0; i < 50; i++) {
        s->protocol = 3;
        s->authenticated = true;
        strcpy(s->name, "me");
        uint64_t number = world_hold(&w, 0, val_of_obj(w.held[0]));
        handles_commit(&w.heap, &s->handles);
        assert_int_equal(session_reset(&w.sessions, s), STATUS_OK);
        assert_int_equal(s->protocol, 2);
        assert_false(s->authenticated);
        assert_string_equal(s->name, "");
        assert_int_equal(handles_count(&s->handles), 0);
        assert_true(val_is_none(handles_get(&s->handles, number)));
        world_check(&w);
    }
    assert_int_equal(sessions_handles(&w.sessions), 50);
    while (sessions_step(&w.sessions, 8)) {
    }
    assert_int_equal(sessions_handles(&w.sessions), 0);
    assert_int_equal(s->id, 1);
    world_check(&w);
    world_fini(&w);
}

#ifdef HEAPD_DEBUG
/* Without room for a grave a session is not opened and not reset; closing needs none. */
static void test_out_of_memory(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    w.mem.fail_at = 1;
    assert_int_equal(session_open(&w.sessions, &w.session[0], 0), STATUS_OOM);
    assert_int_equal(w.sessions.count, 0);
    world_open(&w, 0);
    struct session *s = &w.session[0];
    enum status status = STATUS_OK;
    int resets = 0;
    while (status == STATUS_OK) {
        assert_true(resets < 100);
        (void)world_hold(&w, 0, val_of_small(resets));
        handles_commit(&w.heap, &s->handles);
        s->protocol = 3;
        w.mem.fail_at = 1;
        status = session_reset(&w.sessions, s);
        w.mem.fail_at = 0;
        resets += status == STATUS_OK;
    }
    assert_int_equal(status, STATUS_OOM);
    assert_int_equal(s->protocol, 3);
    assert_int_equal(handles_count(&s->handles), 1);
    assert_int_equal(sessions_handles(&w.sessions), (uint64_t)resets + 1);
    world_check(&w);
    w.mem.fail_at = 1;
    session_close(&w.sessions, s);
    w.mem.fail_at = 0;
    assert_int_equal(sessions_handles(&w.sessions), (uint64_t)resets + 1);
    world_fini(&w);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open_and_close),
        cmocka_unit_test(test_close_waiting),
        cmocka_unit_test(test_woken_in_order),
        cmocka_unit_test(test_handles_counted),
        cmocka_unit_test(test_hundred_thousand_handles),
        cmocka_unit_test(test_reset),
#ifdef HEAPD_DEBUG
        cmocka_unit_test(test_out_of_memory),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
