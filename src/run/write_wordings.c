#include "run/write_wordings.h"

#include <stdlib.h>
#include <string.h>

#include "align/paraphrase.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"

static void add_task(json_t *kept, json_t *dropped, const ch_task *t, const ch_wordings *w)
{
    json_t *list = json_array(), *bin = json_array();
    for (int64_t i = 0; i < w->n; i++) {
        const ch_wording *it = &w->list[i];
        if (!it->dropped)
            json_array_append_new(list, ch_json_text(it->text));
        else
            json_array_append_new(
                bin, json_pack("{s:o,s:s}", "text", ch_json_text(it->text), "why", it->dropped));
    }
    json_object_set_new(kept, t->name, list);
    json_t *one = json_object();
    json_object_set_new(one, "dropped", bin);
    json_object_set_new(one, "raw", ch_json_text(w->raw ? w->raw : ""));
    json_object_set_new(dropped, t->name, one);
}

static ch_code ask_all(ch_model *m, const ch_tasks *t, int64_t n, int64_t max_new,
                       const char *prompt, json_t *kept, json_t *dropped, int64_t *n_kept,
                       int64_t *n_dropped, ch_err *e)
{
    ch_progress bar;
    for (int64_t i = 0; i < t->n; i++)
        CH_TRY(ch_paraphrase_check(m, &t->list[i], n, prompt, max_new, e));
    ch_log(CH_INFO, "computes in %s", ch_device_text(ch_model_device(m)));
    ch_progress_start(&bar, "wordings", "tasks", t->n);
    for (int64_t i = 0; i < t->n; i++) {
        ch_wordings w = {0};
        if (ch_interrupted())
            return ch_fail(e, CH_ESTOP, "stopped; nothing was written");
        CH_TRY(ch_paraphrase(&w, m, &t->list[i], n, prompt, max_new, e));
        add_task(kept, dropped, &t->list[i], &w);
        *n_kept += w.n_kept;
        *n_dropped += w.n - w.n_kept;
        if (w.n_kept < n)
            ch_log(CH_WARN, "%s: %lld of %lld wordings are usable", t->list[i].name,
                   (long long)w.n_kept, (long long)n);
        ch_wordings_release(&w);
        ch_progress_at(&bar, i + 1, NULL);
    }
    ch_progress_end(&bar);
    if (*n_kept)
        return CH_OK;
    return ch_fail(e, CH_EEMPTY,
                   "the model wrote no usable wording for any task (%lld were dropped); give "
                   "wordings in a file "
                   "(data.wordings), or use a larger model",
                   (long long)*n_dropped);
}

ch_code ch_paraphrase_tasks(ch_model *m, const ch_tasks *t, int64_t n, int64_t max_new,
                            const char *prompt, const char *path, const char *dropped_path,
                            int64_t *n_kept, int64_t *n_dropped, ch_err *e)
{
    json_t *kept = json_object(), *dropped = json_object();
    *n_kept = *n_dropped = 0;
    ch_code c = ask_all(m, t, n, max_new, prompt, kept, dropped, n_kept, n_dropped, e);
    /* What was dropped is of use above all when nothing was kept. */
    if ((c == CH_OK || c == CH_EEMPTY) && dropped_path) {
        ch_code c2 = ch_json_save(json_incref(dropped), dropped_path, c == CH_OK ? e : NULL);
        c = c == CH_OK ? c2 : c;
    }
    if (c == CH_OK)
        c = ch_json_save(json_incref(kept), path, e);
    json_decref(kept);
    json_decref(dropped);
    return c;
}
