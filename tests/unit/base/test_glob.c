/*
 * Globs answer as Redis's stringmatchlen, and never take longer than pattern times text.
 *
 * Method: a table of the odd cases, each asked of redis-server 7.0.15 (KEYS for exact case, COMMAND
 * LIST FILTERBY PATTERN for the other); then random short patterns over a small alphabet against an
 * oracle that recurses as the definition does; then a pattern of many stars with a clock beside it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/glob.h"

/* One element that is not a star, at *p; moves *p behind it. Written from the rules of the header,
 * with other means than glob.c, byte by byte. */
static bool oracle_one(const signed char **p, const signed char *end, int c, bool nocase)
{
#define FOLD(x) (nocase && (x) >= 'A' && (x) <= 'Z' ? (x) + 32 : (x))
    const signed char *at = *p;
    if (*at == '?') {
        *p = at + 1;
        return true;
    }
    if (*at != '[') {
        if (*at == '\\' && at + 1 < end) at++;
        *p = at + 1;
        return FOLD(*at) == FOLD(c);
    }
    bool negated = at + 1 < end && at[1] == '^', match = false;
    at += negated ? 2 : 1;
    for (;;) {
        if (end - at >= 2 && at[0] == '\\') {
            if (at[1] == c) match = true;
            at += 2;
        } else if (at >= end) {
            break;
        } else if (*at == ']') {
            at++;
            break;
        } else if (end - at >= 3 && at[1] == '-') {
            int low = at[0] < at[2] ? at[0] : at[2], high = at[0] < at[2] ? at[2] : at[0];
            if (FOLD(low) <= FOLD(c) && FOLD(c) <= FOLD(high)) match = true;
            at += 3;
        } else {
            if (FOLD(*at) == FOLD(c)) match = true;
            at++;
        }
    }
    *p = at;
    return match != negated;
#undef FOLD
}

static bool oracle(const signed char *p, const signed char *p_end, const signed char *t,
                   const signed char *t_end, bool nocase)
{
    if (t == t_end) {
        while (p < p_end && *p == '*') p++;
        return p == p_end;
    }
    if (p == p_end) return false;
    if (*p == '*') {
        return oracle(p + 1, p_end, t, t_end, nocase) || oracle(p, p_end, t + 1, t_end, nocase);
    }
    return oracle_one(&p, p_end, *t, nocase) && oracle(p, p_end, t + 1, t_end, nocase);
}

static bool matches(const char *pattern, const char *text, enum glob_case how)
{
    return glob_match(view_of(pattern), view_of(text), how);
}

static void test_glob_match_odd_cases(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text;
        bool exact, nocase;
    } cases[] = {
        {"", "", true, true},
        {"", "a", false, false},
        {"*", "", false, false},
        {"**", "", false, false},
        {"*", "a", true, true},
        {"a**", "a", true, true},
        {"a*b*c", "aXXbYYc", true, true},
        {"a*b*c", "aXXbYYcZ", false, false},
        {"*a?", "aaab", true, true},
        {"h[ae]llo", "hello", true, true},
        {"h[^e]llo", "hello", false, false},
        {"h[^e]llo", "hallo", true, true},
        {"h[a-b]llo", "hbllo", true, true},
        {"h[b-a]llo", "hbllo", true, true},
        {"[", "[", false, false},
        {"[", "a", false, false},
        {"[]", "]", false, false},
        {"[]", "a", false, false},
        {"[^]", "a", true, true},
        {"[^", "a", true, true},
        {"[ab", "b", true, true},
        {"[ab", "bb", false, false},
        {"[a-", "-", true, true},
        {"[a-", "b", false, false},
        {"[a-]", "]", true, true},
        {"[a-]", "-", false, false},
        {"[\\]]", "]", true, true},
        {"[\\", "\\", true, true},
        {"\\", "\\", true, true},
        {"a\\", "a\\", true, true},
        {"\\*", "*", true, true},
        {"\\*", "a", false, false},
        {"\\a", "A", false, true},
        {"[\\a]", "A", false, false},
        {"ABC", "abc", false, true},
        {"[A-C]", "b", false, true},
        {"[Z-a]", "a", true, false},
        {"[\x7f-\x80]", "a", true, true},
        {"[\xc0-\xff]", "\xd0", true, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool exact = matches(cases[i].pattern, cases[i].text, GLOB_EXACT);
        bool nocase = matches(cases[i].pattern, cases[i].text, GLOB_NOCASE);
        if (exact != cases[i].exact || nocase != cases[i].nocase) {
            fail_msg("'%s' on '%s': %d, without case %d", cases[i].pattern, cases[i].text, exact,
                     nocase);
        }
    }
}

static void test_glob_match_does_not_need_a_nul(void **state)
{
    (void)state;
    assert_true(glob_match((struct view){"[ab]", 3}, (struct view){"bc", 1}, GLOB_EXACT));
    assert_true(glob_match((struct view){"a*", 1}, (struct view){"a", 1}, GLOB_EXACT));
    assert_false(glob_match((struct view){"a*", 1}, (struct view){"ab", 2}, GLOB_EXACT));
    assert_true(glob_match((struct view){"a\0*", 3}, (struct view){"a\0bc", 4}, GLOB_EXACT));
}

static uint32_t draw(uint64_t *seed, uint32_t below)
{
    *seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(*seed >> 33) % below;
}

static void test_glob_match_equals_the_oracle(void **state)
{
    (void)state;
    enum { ROUNDS = 100000, PATTERN_MAX = 9, TEXT_MAX = 7 };
    static const char of_patterns[] = "abAc-]\\^[[**?\xc8", of_texts[] = "abAB-]\\\xc8*";
    uint64_t seed = 20;
    int hits = 0;
    for (int round = 0; round < ROUNDS; round++) {
        char pattern[PATTERN_MAX], text[TEXT_MAX];
        size_t pattern_bytes = draw(&seed, PATTERN_MAX + 1), text_bytes = 1 + draw(&seed, TEXT_MAX);
        for (size_t i = 0; i < pattern_bytes; i++) {
            pattern[i] = of_patterns[draw(&seed, sizeof of_patterns - 1)];
        }
        for (size_t i = 0; i < text_bytes; i++) {
            text[i] = of_texts[draw(&seed, sizeof of_texts - 1)];
        }
        for (int how = GLOB_EXACT; how <= GLOB_NOCASE; how++) {
            const signed char *p = (const signed char *)pattern, *t = (const signed char *)text;
            bool want = oracle(p, p + pattern_bytes, t, t + text_bytes, how == GLOB_NOCASE);
            bool got = glob_match((struct view){pattern, pattern_bytes},
                                  (struct view){text, text_bytes}, (enum glob_case)how);
            if (want != got) {
                fail_msg("'%.*s' on '%.*s', case %d: %d instead of %d", (int)pattern_bytes, pattern,
                         (int)text_bytes, text, how, got, want);
            }
            hits += got;
        }
    }
    assert_in_range(hits, ROUNDS / 50, ROUNDS); /* the patterns do match now and then */
}

static void test_glob_match_of_many_stars_is_bounded(void **state)
{
    (void)state;
    enum { TEXT_BYTES = 20000, STARS = 1000 };
    static char text[TEXT_BYTES], pattern[2 * STARS + 1];
    memset(text, 'a', sizeof text);
    for (int i = 0; i < STARS; i++) memcpy(pattern + 2 * i, "a*", 2);
    pattern[2 * STARS] = 'b';
    int64_t start = clock_system_ns(CLOCK_THREAD_CPUTIME_ID);
    assert_false(glob_match((struct view){pattern, sizeof pattern},
                            (struct view){text, sizeof text}, GLOB_EXACT));
    /* 40 million steps at the very most; exponential work would not end at all. */
    assert_in_range(clock_system_ns(CLOCK_THREAD_CPUTIME_ID) - start, 0, 5000000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_glob_match_odd_cases),
        cmocka_unit_test(test_glob_match_does_not_need_a_nul),
        cmocka_unit_test(test_glob_match_equals_the_oracle),
        cmocka_unit_test(test_glob_match_of_many_stars_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
