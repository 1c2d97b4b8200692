/*
 * Goal: lines become the arguments that redis-cli would make of them.
 * Method: a table; arguments are written with | between them.
 */
#include "client/heapctl/words.h"
#include "tests/unit/client/canned.h"

#include <string.h>

static void test_words_split_good(void **state)
{
    (void)state;
    static const char *const table[][2] = {
        {"", ""},
        {"  \t\r\n", ""},
        {"get a", "get|a|"},
        {"  get   a  \n", "get|a|"},
        {"set a \"b c\"", "set|a|b c|"},
        {"set a 'b c'", "set|a|b c|"},
        {"set a \"\"", "set|a||"},
        {"set '' x", "set||x|"},
        {"a \"\\n\\r\\t\\b\\a\\\\\\\"\\q\"", "a|\n\r\t\b\a\\\"q|"},
        {"a \"\\x41\\x7e\\xZZ\"", "a|A~xZZ|"},
        {"a 'it\\'s' '\\n'", "a|it's|\\n|"},
        {"a b\"c d\"", "a|bc d|"},
        {"a b\\c", "a|b\\c|"},
        {"a 'say \"x\"'", "a|say \"x\"|"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
        struct words words;
        char joined[64] = "";
        assert_int_equal(words_split(table[i][0], strlen(table[i][0]), &words), WORDS_OK);
        for (size_t k = 0; k < words.argc; k++) {
            assert_int_equal(strlen(words.argv[k].p), words.argv[k].n);
            strcat(joined, words.argv[k].p);
            strcat(joined, "|");
        }
        assert_string_equal(joined, table[i][1]);
        words_fini(&words);
    }
}

static void test_words_split_nul(void **state)
{
    (void)state;
    struct words words;
    assert_int_equal(words_split("\"a\\x00b\"", 8, &words), WORDS_OK);
    assert_int_equal(words.argc, 1);
    assert_int_equal(words.argv[0].n, 3);
    assert_memory_equal(words.argv[0].p, "a\0b", 4);
    words_fini(&words);
}

static void test_words_split_unbalanced(void **state)
{
    (void)state;
    static const char *const table[] = {"\"", "'", "a \"b", "a 'b", "a \"b\"c", "a 'b'c", "\"a\\"};
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
        struct words words;
        assert_int_equal(words_split(table[i], strlen(table[i]), &words), WORDS_UNBALANCED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_split_good),
        cmocka_unit_test(test_words_split_nul),
        cmocka_unit_test(test_words_split_unbalanced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
