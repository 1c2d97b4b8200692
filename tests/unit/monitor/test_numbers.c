/* Goal: the table names every number of the snapshot once, under names that Prometheus accepts.
 * Method: the words of the snapshot are ticked off; the rules of the header are read off the rows.
 */
#include "watched.h"

#include "monitor/numbers.h"

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

static void test_rows_cover_the_snapshot(void **state)
{
    (void)state;
    enum { WORDS = sizeof(struct figures) / sizeof(uint64_t) };
    static_assert(sizeof(struct figures) % sizeof(uint64_t) == 0, "whole words");
    int rows_at[WORDS] = {0};
    const struct number *row;
    for (uint32_t i = 0; (row = number_at(i)); i++) {
        assert_true(row->offset < sizeof(struct figures));
        rows_at[row->offset / sizeof(uint64_t)]++;
    }
    size_t by_type = offsetof(struct figures, heap.objects_by_type) / sizeof(uint64_t);
    for (size_t word = 0; word < WORDS; word++) {
        bool listed_apart = word >= by_type && word < by_type + OBJ_TYPES;
        if (rows_at[word] != !listed_apart) fail_msg("word %zu: %d rows", word, rows_at[word]);
    }
}

static void test_sections_and_families_stand_together(void **state)
{
    (void)state;
    const struct number *row, *other, *before = NULL;
    for (uint32_t i = 0; (row = number_at(i)); before = row, i++) {
        bool section_begins = !before || strcmp(before->section, row->section) != 0;
        bool before_family = before && before->family && row->family;
        bool family_begins = !before_family || strcmp(before->family, row->family) != 0;
        for (uint32_t j = 0; j < i; j++) {
            other = number_at(j);
            if (section_begins) assert_string_not_equal(other->section, row->section);
            if (!row->family || !other->family) continue;
            if (family_begins) assert_string_not_equal(other->family, row->family);
            if (strcmp(other->family, row->family) != 0) continue;
            assert_string_not_equal(other->label, row->label);
            assert_string_equal(other->help, row->help);
            assert_int_equal(other->kind, row->kind);
        }
    }
}

static void test_names_follow_prometheus(void **state)
{
    (void)state;
    const struct number *row;
    for (uint32_t i = 0; (row = number_at(i)); i++) {
        if (!row->family) continue;
        assert_true(strncmp(row->family, "heapd_", 6) == 0);
        assert_int_equal(ends_with(row->family, "_total"), row->kind == NUMBER_COUNTER);
        assert_true(ends_with(row->help, "."));
        assert_int_not_equal(row->form, NUMBER_TEXT);
        bool seconds =
            ends_with(row->family, "_seconds") || ends_with(row->family, "_seconds_total");
        assert_int_equal(seconds, row->unit == NUMBER_MICROSECONDS);
        assert_int_equal(ends_with(row->key, "_us"), row->unit == NUMBER_MICROSECONDS);
        if (ends_with(row->key, "_bytes")) assert_non_null(strstr(row->family, "_bytes"));
    }
}

static void test_bucket_limits_are_exact(void **state)
{
    (void)state;
    const struct number_limit *row;
    uint64_t before = 0;
    for (uint32_t i = 0; (row = number_limit_at(i)); before = row->ns, i++) {
        uint64_t limit = row->ns;
        assert_true(limit > before);
        assert_int_equal((uint64_t)(strtod(row->seconds, NULL) * 1e9 + 0.5), limit);
        struct histogram h = {0};
        histogram_record(&h, limit);
        assert_int_equal(histogram_below(&h, limit), 1);
        histogram_record(&h, limit + 1);
        assert_int_equal(histogram_below(&h, limit), 1);
    }
    assert_true(before > 1000000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_cover_the_snapshot),
        cmocka_unit_test(test_sections_and_families_stand_together),
        cmocka_unit_test(test_names_follow_prometheus),
        cmocka_unit_test(test_bucket_limits_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
