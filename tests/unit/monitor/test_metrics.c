/* Goal: /metrics says what the server counted, in seconds and bytes.
 * Method: statistics are written by hand, and lines of the text compared. promtool reads the page
 * in tests/monitor/run.py. */
#include "watched.h"

#include "monitor/metrics.h"

static bool has_line(const char *text, const char *line)
{
    size_t n = strlen(line);
    for (const char *at = text; at; at = strchr(at, '\n')) {
        if (*at == '\n') at++;
        if (strncmp(at, line, n) == 0 && at[n] == '\n') return true;
    }
    return false;
}

static void assert_line(const char *text, const char *line)
{
    if (!has_line(text, line)) fail_msg("no line '%s' in:\n%s", line, text);
}

static void test_rows_have_base_units(void **state)
{
    (void)state;
    struct engine *s = watched_new();
    s->heap.collect.stats.cpu_ns = 61002003004;
    s->heap.collect.stats.trials = 7;
    s->stats.longest_step_ns = 98765;
    s->stats.net_input_bytes = UINT64_MAX;
    s->started_ms = 1700000000042;
    sds text = metrics_text(s);
    assert_non_null(text);
    assert_line(text, "heapd_gc_cpu_seconds_total 61.002003");
    assert_line(text, "heapd_longest_step_seconds 0.000098");
    assert_line(text, "heapd_gc_trials_total 7");
    assert_line(text, "# TYPE heapd_gc_trials_total counter");
    assert_line(text, "heapd_network_received_bytes_total 18446744073709551615");
    assert_line(text, "process_start_time_seconds 1700000000.042");
    assert_line(text, "heapd_build_info{version=\"" HEAPD_VERSION "\"} 1");
    assert_line(text, "heapd_objects{type=\"hash\"} 0");
    assert_line(text, "heapd_gc_enabled 1");
    assert_line(text, "heapd_up 1");
    sdsfree(text);
    s->shutdown = ENGINE_SHUTTING_DOWN;
    text = metrics_text(s);
    assert_line(text, "heapd_up 0");
    sdsfree(text);
    watched_free(s);
}

static void test_families_of_several_rows_have_one_heading(void **state)
{
    (void)state;
    struct engine *s = watched_new();
    sds text = metrics_text(s);
    const char *heading = strstr(text, "# TYPE heapd_pool_bytes gauge\nheapd_pool_bytes{state=");
    assert_non_null(heading);
    assert_null(strstr(heading + 1, "# TYPE heapd_pool_bytes"));
    sdsfree(text);
    watched_free(s);
}

static void test_commands_appear_when_they_are_called(void **state)
{
    (void)state;
    struct engine *s = watched_new();
    sds text = metrics_text(s);
    assert_null(strstr(text, "command=\"get\""));
    sdsfree(text);
    watched_call(s, "get", 1023);
    watched_call(s, "get", 1024);
    watched_call(s, "get", 60000000000);
    watched_command(s, "set")->rejected = 2;
    text = metrics_text(s);
    assert_line(text, "heapd_command_duration_seconds_bucket{command=\"get\",le=\"5.11e-07\"} 0");
    assert_line(text, "heapd_command_duration_seconds_bucket{command=\"get\",le=\"1.023e-06\"} 1");
    assert_line(text, "heapd_command_duration_seconds_bucket{command=\"get\",le=\"2.047e-06\"} 2");
    assert_line(text,
                "heapd_command_duration_seconds_bucket{command=\"get\",le=\"4.294967295\"} 2");
    assert_line(text, "heapd_command_duration_seconds_bucket{command=\"get\",le=\"+Inf\"} 3");
    assert_line(text, "heapd_command_duration_seconds_sum{command=\"get\"} 60.000002047");
    assert_line(text, "heapd_command_duration_seconds_count{command=\"get\"} 3");
    assert_line(text, "heapd_command_rejected_total{command=\"get\"} 0");
    assert_line(text, "heapd_command_rejected_total{command=\"set\"} 2");
    assert_null(strstr(text, "heapd_command_duration_seconds_count{command=\"set\"}"));
    sdsfree(text);
    watched_free(s);
}

static void test_slices_and_steps_are_histograms(void **state)
{
    (void)state;
    struct engine *s = watched_new();
    histogram_record(&s->heap.collect.stats.slice_ns, 100000);
    histogram_record(&s->stats.step_ns, 3);
    sds text = metrics_text(s);
    assert_line(text, "# TYPE heapd_gc_slice_duration_seconds histogram");
    assert_line(text, "heapd_gc_slice_duration_seconds_bucket{le=\"6.5535e-05\"} 0");
    assert_line(text, "heapd_gc_slice_duration_seconds_bucket{le=\"0.000131071\"} 1");
    assert_line(text, "heapd_gc_slice_duration_seconds_sum 0.000100000");
    assert_line(text, "heapd_gc_slice_duration_seconds_count 1");
    assert_line(text, "heapd_step_duration_seconds_bucket{le=\"2.55e-07\"} 1");
    sdsfree(text);
    watched_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_have_base_units),
        cmocka_unit_test(test_families_of_several_rows_have_one_heading),
        cmocka_unit_test(test_commands_appear_when_they_are_called),
        cmocka_unit_test(test_slices_and_steps_are_histograms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
