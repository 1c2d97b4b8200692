/* Goal: each path has its page, and each page its status, type and text.
 * Method: every page is rendered without HTTP. */
#include "watched.h"

#include "monitor/page.h"

static void test_page_of_path(void **state)
{
    (void)state;
    assert_int_equal(page_of("/"), PAGE_INDEX);
    assert_int_equal(page_of("/metrics"), PAGE_METRICS);
    assert_int_equal(page_of("/stats.json"), PAGE_STATS);
    assert_int_equal(page_of("/livez"), PAGE_LIVE);
    assert_int_equal(page_of("/readyz"), PAGE_READY);
    static const char *const missing[] = {"", "metrics", "/metrics/", "/Metrics", "/livezz", "//"};
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++)
        assert_int_equal(page_of(missing[i]), PAGE_MISSING);
}

static void test_pages_have_their_status_and_text(void **state)
{
    (void)state;
    static const struct {
        unsigned status;
        const char *type, *part;
    } wanted[PAGES] = {
        [PAGE_INDEX] = {200, "text/html", "href=\"/metrics\""},
        [PAGE_METRICS] = {200, "text/plain; version=0.0.4", "# TYPE heapd_up gauge"},
        [PAGE_STATS] = {200, "application/json", "{\"version\":"},
        [PAGE_LIVE] = {200, "text/plain", "ok\n"},
        [PAGE_READY] = {200, "text/plain", "ok\n"},
        [PAGE_MISSING] = {404, "text/plain", "/ lists them"},
        [PAGE_WRONG_HOST] = {421, "text/plain", "http-hosts"},
        [PAGE_WRONG_METHOD] = {405, "text/plain", "GET and HEAD"},
        [PAGE_UNWANTED_BODY] = {413, "text/plain", "no body"},
    };
    struct engine *s = watched_new();
    for (int page = 0; page < PAGES; page++) {
        struct page_text text;
        page_render((enum page)page, s, &text);
        assert_int_equal(text.status, wanted[page].status);
        assert_ptr_equal(strstr(text.type, wanted[page].type), text.type);
        assert_int_equal(text.size, strlen(text.bytes));
        assert_non_null(strstr(text.bytes, wanted[page].part));
        page_text_free(&text);
    }
    watched_free(s);
}

static void test_not_ready_while_shutting_down(void **state)
{
    (void)state;
    struct engine *s = watched_new();
    s->shutdown = ENGINE_SHUTTING_DOWN;
    struct page_text text;
    page_render(PAGE_READY, s, &text);
    assert_int_equal(text.status, 503);
    assert_string_equal(text.bytes, "shutting down\n");
    page_text_free(&text);
    page_render(PAGE_LIVE, s, &text);
    assert_int_equal(text.status, 200);
    page_text_free(&text);
    watched_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_page_of_path),
        cmocka_unit_test(test_pages_have_their_status_and_text),
        cmocka_unit_test(test_not_ready_while_shutting_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
