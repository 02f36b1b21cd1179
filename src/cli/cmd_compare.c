#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "cli/cli.h"
#include "report/compare.h"
#include "report/report.h"

const ch_opt ch_opts_compare[] = {
    CH_OPT_FIELD("resamples", "N", "measure.resamples"),
    CH_OPT_FIELD("seed", "N", "seed"),
    CH_OPT_JSON,
    CH_OPT_END,
};

static json_t *stat_json(ch_stat s)
{
    return json_pack("{s:o,s:o,s:o}", "value", ch_json_real(s.value), "low", ch_json_real(s.low),
                     "high", ch_json_real(s.high));
}

static void print_json(const ch_comparison *list, int64_t n)
{
    json_t *all = json_array();
    for (int64_t i = 0; i < n; i++) {
        const ch_comparison *c = &list[i];
        json_t *metrics = json_object();
        for (int k = 0; k < CH_M_COUNT; k++)
            ch_json_set(metrics, ch_metrics[k].key,
                        json_pack("{s:o,s:o,s:o}", "a", stat_json(c->left[k]), "b",
                                  stat_json(c->right[k]), "difference", stat_json(c->diff[k])));
        json_t *o = json_object();
        char *few = ch_interval_note(c->n_tasks);
        ch_json_set(o, "a", ch_json_text(c->a));
        ch_json_set(o, "b", ch_json_text(c->b));
        ch_json_set(o, "sim", ch_json_text(c->sim));
        ch_json_set(o, "tasks", json_integer(c->n_tasks));
        ch_json_set(o, "inputs", json_integer(c->n_inputs));
        ch_json_set(o, "wordings", json_integer(c->n_wordings));
        ch_json_set(o, "most_wordings", json_integer(c->most_wordings));
        ch_json_set(o, "tasks_by_labels_a", json_integer(c->labelled_a));
        ch_json_set(o, "tasks_by_labels_b", json_integer(c->labelled_b));
        if (few)
            ch_json_set(o, "note", ch_json_text(few));
        if (c->note)
            ch_json_set(o, "sim_note", ch_json_text(c->note));
        ch_json_set(o, "metrics", metrics);
        ch_json_add(all, o);
        free(few);
    }
    ch_json_tree(stdout, all);
}

static void print_text(const ch_comparison *c)
{
    char *wordings = ch_wordings_text(c->n_wordings, c->most_wordings);
    printf("A: %s\nB: %s\n%lld tasks, %lld inputs, %s; same answer: %s; 95 %% "
           "intervals, paired\n\n",
           c->a, c->b, (long long)c->n_tasks, (long long)c->n_inputs, wordings, c->sim);
    free(wordings);
    char *few = ch_interval_note(c->n_tasks);
    if (few)
        printf("note: %s\n\n", few);
    free(few);
    if (c->note)
        printf("note: %s\n\n", c->note);
    if (c->labelled_a || c->labelled_b)
        printf("answers chosen among labels (generate.decode): A in %lld, B in %lld of %lld "
               "tasks%s\n\n",
               (long long)c->labelled_a, (long long)c->labelled_b, (long long)c->n_tasks,
               c->labelled_a == c->labelled_b ? "" : "; the models are not asked in the same way");
    printf("%-24s %8s %8s %8s  %s\n", "", "A", "B", "B - A", "interval");
    for (int k = 0; k < CH_M_COUNT; k++) {
        double f = ch_metrics[k].percent ? 100 : 1;
        const ch_stat *d = &c->diff[k];
        static const char *const word[] = {[CH_V_UNCLEAR] = "holds 0",
                                           [CH_V_BETTER] = "better",
                                           [CH_V_WORSE] = "worse",
                                           [CH_V_CHANGED] = "changed"};
        printf("%-24s %8.1f %8.1f %+8.1f  [%+.1f, %+.1f]  %s\n", ch_metrics[k].title,
               f * c->left[k].value, f * c->right[k].value, f * d->value, f * d->low, f * d->high,
               word[ch_diff_verdict(k, *d)]);
    }
    puts("");
}

ch_code ch_cmd_compare(const ch_args *a, ch_err *e)
{
    ch_recipe r;
    ch_comparison *list = NULL;
    int64_t n = 0;
    ch_recipe_init(&r);
    ch_code c = ch_args_to_recipe(a, &r, e);
    if (c == CH_OK)
        c = ch_compare(&list, &n, a->args[0], a->args[1], r.measure.resamples, (uint64_t)r.seed, e);
    if (c == CH_OK && ch_arg_given(a, "json"))
        print_json(list, n);
    else
        for (int64_t i = 0; i < n; i++)
            print_text(&list[i]);
    ch_comparisons_free(list, n);
    ch_recipe_release(&r);
    return c;
}
