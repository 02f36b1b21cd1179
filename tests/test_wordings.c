/* Lists of wordings as models write them, and the filter's reasons. No model. */
#include "support/support.h"

#include <string.h>

#include "align/parse.h"
#include "align/prompts.h"
#include "align/reword.h"
#include "base/mem.h"
#include "base/str.h"

static ch_wordings parsed(const char *raw)
{
    ch_wordings w = {0};
    ch_wordings_parse(&w, raw);
    return w;
}

static void check_list(const char *raw, const char *const *want)
{
    ch_wordings w = parsed(raw);
    int64_t n = 0;
    for (; want[n]; n++) {
        if (n >= w.n || strcmp(w.list[n].text, want[n]) != 0)
            fail_msg("entry %d of \"%s\" is \"%s\", wanted \"%s\"", (int)n, raw,
                     n < w.n ? w.list[n].text : "(none)", want[n]);
    }
    assert_int_equal(w.n, n);
    ch_wordings_release(&w);
}
#define LIST(raw, ...) check_list(raw, (const char *const[]){__VA_ARGS__, NULL})

static void numbered_lines_of_every_form_are_entries(void **state CH_UNUSED)
{
    LIST("1. One a\n2) Two b\n3: Three c\n 10. Ten d\n", "One a", "Two b", "Three c", "Ten d");
    LIST("1.No blank\r\n2. Carriage return\r\n", "No blank", "Carriage return");
    LIST("**1.** \"Quoted\"\n(2) **bold**", "Quoted", "bold");
    LIST("- a b\n* c d\n\xE2\x80\xA2 e f", "a b", "c d", "e f");
}

static void words_round_the_list_are_not_entries(void **state CH_UNUSED)
{
    LIST("Here are 3 wordings:\n\n1. a\n2. b\n\nI hope this helps!", "a", "b");
    LIST("1. Rate from\n3.5 to 4\n12:30 is a time\n2. b", "Rate from\n3.5 to 4\n12:30 is a time",
         "b");
    LIST("1. pick one:\n- red\n- blue\n2. b", "pick one:\n- red\n- blue", "b");
    LIST("1.\nbelow its number\n2. b", "below its number", "b");
    LIST("1. say \"a\" or \"b\"", "say \"a\" or \"b\"");
    LIST("1. \"a\" or \"b\"", "\"a\" or \"b\"");
}

static void a_text_without_a_list_has_no_entries(void **state CH_UNUSED)
{
    const char *const raw[] = {"", "\n\n", "Just a sentence about 3 things.", "1.\n2.\n", "-\n"};
    for (size_t i = 0; i < sizeof raw / sizeof *raw; i++) {
        ch_wordings w = parsed(raw[i]);
        assert_int_equal(w.n, 0);
        ch_wordings_release(&w);
    }
}

/* -- the filter -- */

static char name[] = "t"; /* ch_task holds char *, literals are const */
static char *labels[] = {(char[]){"a"}, (char[]){"ham"}, (char[]){"spam"}};
static ch_task task_of(const char *instruction)
{
    return (ch_task){.name = name,
                     .instruction = (char *)(uintptr_t)instruction,
                     .kind = CH_KIND_CLOSED,
                     .labels = labels,
                     .n_labels = 3};
}

static const char *verdict(const char *instruction, const char *first, const char *second)
{
    static const char *dropped;
    ch_task t = task_of(instruction);
    ch_wordings w = {ch_new(2, sizeof(ch_wording)), second ? 2 : 1, 0, NULL};
    w.list[0].text = ch_dup(first);
    if (second)
        w.list[1].text = ch_dup(second);
    ch_wordings_filter(&w, &t);
    int64_t kept = 0;
    for (int64_t i = 0; i < w.n; i++)
        kept += !w.list[i].dropped;
    assert_int_equal(w.n_kept, kept);
    dropped = w.list[w.n - 1].dropped;
    ch_wordings_release(&w);
    return dropped ? dropped : "kept";
}

static const char spam[] = "Decide whether the message is spam or ham and answer in 1 word.";

static void each_reason_to_drop_a_wording_is_named(void **state CH_UNUSED)
{
#define IS(want, ...) assert_string_equal(verdict(__VA_ARGS__), want)
    IS("kept", spam, "Is this text spam, or is it ham? Reply with 1 word.", NULL);
    IS("the same as another", spam,
       " decide  whether the message is spam or ham and answer in 1 word", NULL);
    IS("the same as another", spam, "Is it ham or spam? Give 1 word.",
       "Is it ham or spam? Give 1 word");
    IS("nearly the same as another", spam,
       "Decide whether the message is ham or spam and answer in 1 word.", NULL);
    IS("nearly the same as another", spam,
       "Decide whether the messages are spam or ham and answer in 1 word.", NULL);
    IS("nearly the same as another", "Read the text below and name every city in it",
       "In it, name every city, and read the text below", NULL);
    IS("lost a label word", spam, "Is it spam or from graham? Reply with 1 word.", NULL);
    IS("lost a number", spam, "Is this text spam, or is it ham? Reply with one word.", NULL);
    IS("lost a number", "Give at most 12.5 points", "Points to give: 12 or 5 at most", NULL);
    IS("lost a label word", spam, "Is this text spam? Reply with 1 word, yes or no.", NULL);
    IS("lost a label word", spam, "Is it spam-like? Else say hamper, in 1 word of yours.", NULL);
    IS("lost a placeholder", "Translate {text} to Dutch", "Put the text into Dutch, please", NULL);
    IS("kept", "Translate {text} to Dutch", "How do the Dutch say {text}?", NULL);
    IS("too short", spam, "spam, ham: 1", NULL);
    IS("too short", spam, "", NULL);
    IS("too long", "Say spam", "Please look at what stands below and say spam", NULL);
#undef IS
}

static void a_label_of_one_letter_counts_as_a_capital_only(void **state CH_UNUSED)
{
    assert_string_equal(verdict("Choose A or give a reason", "Which is right? A, or why not", NULL),
                        "kept");
    assert_string_equal(verdict("Choose A or give a reason", "Take a letter or say why", NULL),
                        "lost a label word");
    assert_string_equal(verdict("Give a reason for it", "Say why you think so", NULL), "kept");
}

static void labels_of_free_form_tasks_are_not_demanded(void **state CH_UNUSED)
{
    ch_task t = task_of("Say what spam is to a child");
    t.kind = CH_KIND_FREE;
    ch_wordings w = {ch_new(1, sizeof(ch_wording)), 1, 0, NULL};
    w.list[0].text = ch_dup("Explain junk mail to someone young");
    ch_wordings_filter(&w, &t);
    assert_null(w.list[0].dropped);
    assert_int_equal(w.n_kept, 1);
    ch_wordings_release(&w);
}

static void what_was_dropped_before_stays_dropped(void **state CH_UNUSED)
{
    ch_task t = task_of(spam);
    ch_wordings w = parsed("1. Is this text spam, or is it ham? Reply with 1 word.\n"
                           "2. Is this text spam, or is it ham? Reply with 1 word.\n");
    w.list[0].dropped = "cut off by the length limit";
    ch_wordings_filter(&w, &t);
    assert_string_equal(w.list[0].dropped, "cut off by the length limit");
    assert_null(w.list[1].dropped); /* what was dropped is no rival */
    assert_int_equal(w.n_kept, 1);
    ch_wordings_release(&w);
}

static void the_demo_s_own_wordings_pass_the_filter(void **state CH_UNUSED)
{
    char *dir = source_path("examples/demo/tasks");
    ch_tasks t;
    ch_err e = {0};
    CHECK_OK(ch_tasks_load(&t, dir, NULL, 0, &e), &e);
    int64_t n = 0, dropped = 0;
    for (int64_t i = 0; i < t.n; i++) {
        const ch_task *k = &t.list[i];
        ch_wordings w = {ch_new((size_t)k->n_wordings + 1, sizeof(ch_wording)), k->n_wordings, 0,
                         NULL};
        for (int64_t j = 0; j < w.n; j++)
            w.list[j].text = ch_dup(k->wordings[j]);
        ch_wordings_filter(&w, k);
        for (int64_t j = 0; j < w.n; j++) {
            if (w.list[j].dropped)
                print_message("%s: %s: %s\n", k->name, w.list[j].dropped, w.list[j].text);
            dropped += w.list[j].dropped != NULL;
        }
        n += w.n;
        ch_wordings_release(&w);
    }
    assert_true(n >= 8 * 12);
    assert_int_equal(dropped, 0);
    ch_tasks_release(&t);
    free(dir);
}

static void
the_example_is_as_long_as_the_list_asked_for_and_has_no_line_twice(void **state CH_UNUSED)
{
    char *list = ch_example_list(10);
    ch_wordings w = parsed(list);
    assert_int_equal(w.n, 10);
    ch_task t = {.name = name,
                 .instruction = (char *)(uintptr_t)ch_example_instruction,
                 .kind = CH_KIND_FREE};
    ch_wordings_filter(&w, &t);
    for (int64_t i = 0; i < w.n; i++) {
        if (w.list[i].dropped)
            fail_msg("%s: %s", w.list[i].dropped, w.list[i].text);
    }
    ch_wordings_release(&w);
    free(list);
}

static void filling_a_template_does_not_fill_what_was_filled_in(void **state CH_UNUSED)
{
    const ch_slot slots[] = {{"{input}", "see {gold}"}, {"{gold}", "yes"}};
    char *s = ch_fill("{input}: {gold} {other} {input}{", slots, 2);
    assert_string_equal(s, "see {gold}: yes {other} see {gold}{");
    free(s);
}

static void a_reply_with_one_wording_is_freed_of_what_stands_round_it(void **state CH_UNUSED)
{
    static const char *const pairs[][2] = {
        {"Name the odd one.", "Name the odd one."},
        {"Here is a rewording:\n\nName the odd one.", "Name the odd one."},
        {"Sure:\n\"Name the odd one.\"", "Name the odd one."},
        {"Name the odd one.\n\nI hope this helps.", "Name the odd one."},
        {"Name: the odd one", "Name: the odd one"},
        {" \n ", ""},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        char *s = ch_reword_clean(pairs[i][0]);
        assert_string_equal(s, pairs[i][1]);
        free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbered_lines_of_every_form_are_entries),
        cmocka_unit_test(words_round_the_list_are_not_entries),
        cmocka_unit_test(a_text_without_a_list_has_no_entries),
        cmocka_unit_test(each_reason_to_drop_a_wording_is_named),
        cmocka_unit_test(a_label_of_one_letter_counts_as_a_capital_only),
        cmocka_unit_test(labels_of_free_form_tasks_are_not_demanded),
        cmocka_unit_test(what_was_dropped_before_stays_dropped),
        cmocka_unit_test(the_demo_s_own_wordings_pass_the_filter),
        cmocka_unit_test(the_example_is_as_long_as_the_list_asked_for_and_has_no_line_twice),
        cmocka_unit_test(filling_a_template_does_not_fill_what_was_filled_in),
        cmocka_unit_test(a_reply_with_one_wording_is_freed_of_what_stands_round_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
