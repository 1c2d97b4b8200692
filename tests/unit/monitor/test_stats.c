/* Goal: /stats.json is one object with every number of the snapshot.
 * Method: it is parsed, and looked through by the table; the nth allocation fails, for every n. */
#include "watched.h"

#include <jansson.h>

#include "monitor/numbers.h"
#include "monitor/stats.h"

static json_t *parsed(const struct engine *s)
{
    sds text = stats_text(s);
    assert_non_null(text);
    json_error_t error;
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (!root) fail_msg("%s in %s", error.text, text);
    sdsfree(text);
    return root;
}

static json_int_t integer_in(json_t *object, const char *key)
{
    json_t *found = json_object_get(object, key);
    if (!json_is_integer(found)) fail_msg("no integer %s", key);
    return json_integer_value(found);
}

static void test_every_row_is_there(void **state)
{
    (void)state;
    struct engine *s = watched_new();
    s->heap.collect.stats.trials = 7;
    json_t *root = parsed(s);
    const struct number *row;
    for (uint32_t i = 0; (row = number_at(i)); i++)
        if (!json_object_get(json_object_get(root, row->section), row->key))
            fail_msg("no %s.%s", row->section, row->key);
    assert_int_equal(integer_in(json_object_get(root, "gc"), "trials"), 7);
    assert_string_equal(json_string_value(json_object_get(root, "version")), HEAPD_VERSION);
    assert_true(json_is_true(json_object_get(root, "ready")));
    json_t *by_type = json_object_get(json_object_get(root, "heap"), "objects_by_type");
    assert_int_equal(json_object_size(by_type), OBJ_TYPES - 1);
    json_decref(root);
    s->shutdown = ENGINE_SHUTTING_DOWN;
    root = parsed(s);
    assert_true(json_is_false(json_object_get(root, "ready")));
    json_decref(root);
    watched_free(s);
}

static void test_commands_and_their_durations(void **state)
{
    (void)state;
    struct engine *s = watched_new();
    watched_call(s, "get", 1023);
    watched_call(s, "get", 5000);
    watched_command(s, "get")->failed = 1;
    json_t *root = parsed(s), *commands = json_object_get(root, "commands");
    assert_int_equal(json_object_size(commands), 1);
    json_t *get = json_object_get(commands, "get");
    assert_int_equal(integer_in(get, "calls"), 2);
    assert_int_equal(integer_in(get, "failed"), 1);
    assert_int_equal(integer_in(get, "rejected"), 0);
    json_t *duration = json_object_get(get, "duration_ns");
    assert_int_equal(integer_in(duration, "count"), 2);
    assert_int_equal(integer_in(duration, "sum"), 6023);
    assert_int_equal(integer_in(duration, "max"), 5000);
    assert_int_equal(integer_in(duration, "p50"), 1023);
    json_t *buckets = json_object_get(duration, "buckets");
    json_t *limits = json_object_get(root, "bucket_limits_ns");
    const struct number_limit *limit;
    uint32_t i = 0;
    for (; (limit = number_limit_at(i)); i++) {
        assert_int_equal(json_integer_value(json_array_get(limits, i)), limit->ns);
        assert_int_equal(json_integer_value(json_array_get(buckets, i)),
                         (limit->ns >= 1023) + (limit->ns >= 5000));
    }
    assert_int_equal(json_array_size(buckets), i);
    assert_int_equal(json_array_size(limits), i);
    json_decref(root);
    watched_free(s);
}

/* --- failing allocations --- */

static struct {
    int until_failure; /* < 0: none fails */
} allocations = {-1};

static void *failing_malloc(size_t bytes)
{
    if (allocations.until_failure >= 0 && allocations.until_failure-- == 0) return NULL;
    return malloc(bytes);
}

static void test_text_is_null_when_memory_is_short(void **state)
{
    (void)state;
    struct engine *s = watched_new();
    watched_call(s, "get", 1023);
    json_set_alloc_funcs(failing_malloc, free);
    int n = 0;
    for (;; n++) {
        allocations.until_failure = n;
        sds text = stats_text(s);
        bool failed = allocations.until_failure < 0;
        allocations.until_failure = -1;
        if (!failed) {
            assert_non_null(text);
            sdsfree(text);
            break;
        }
        assert_null(text);
    }
    assert_true(n > 100);
    json_set_alloc_funcs(malloc, free);
    watched_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row_is_there),
        cmocka_unit_test(test_commands_and_their_durations),
        cmocka_unit_test(test_text_is_null_when_memory_is_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
