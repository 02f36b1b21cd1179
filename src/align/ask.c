/* Yes-or-no questions to a model, answered by comparing the log-probabilities of two label words
 * [+]: no text is parsed, so "invalid" can never be read as "valid". */
#include "align/ask.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/sort.h"

/* Both sequences of one question; 0 in *fits when they are longer than the context. */
static ch_code make_two(ch_seq *two, const ch_model *m, const char *question, const char *yes,
                        const char *no, int *fits, ch_err *e)
{
    ch_err why = {0};
    ch_code c = ch_seq_make(&two[0], m, question, yes, 0, "a judge's question", &why);
    if (c == CH_OK) {
        c = ch_seq_make(&two[1], m, question, no, 0, "a judge's question", &why);
        if (c != CH_OK)
            ch_seq_release(&two[0]);
    }
    *fits = c == CH_OK;
    /* A question that does not fit is an unreadable reply, not the end of the run. */
    return c == CH_OK || c == CH_ELONG ? CH_OK : ch_fail(e, c, "%s", why.msg);
}

static double margin_of(const ch_seq *two, const double *logp)
{
    int64_t n_yes = two[0].n - two[0].n_prompt, n_no = two[1].n - two[1].n_prompt;
    if (n_yes == n_no)
        return logp[0] - logp[1];
    return logp[0] / (double)n_yes - logp[1] / (double)n_no;
}

/* Scores the sequences and spreads the margins over equal questions. pair[i]: the pair of question
 * order[i], or -1 when it did not fit. */
static ch_code score_all(ch_model *m, const int64_t *order, const int64_t *pair, int64_t n,
                         const ch_seq *seqs, int64_t n_pairs, const ch_gen_opts *o, double *margin,
                         ch_err *e)
{
    double *logp = ch_new((size_t)(2 * n_pairs) + 1, sizeof *logp);
    ch_code c = n_pairs ? ch_score(m, seqs, 2 * n_pairs, o, logp, e) : CH_OK;
    for (int64_t i = 0; i < n && c == CH_OK; i++) {
        int64_t p = pair[i];
        margin[order[i]] = p < 0 ? NAN : margin_of(seqs + 2 * p, logp + 2 * p);
    }
    free(logp);
    return c;
}

ch_code ch_ask(ch_model *m, const char *const *questions, int64_t n, const char *yes,
               const char *no, const ch_gen_opts *o, double *margin, ch_err *e)
{
    int64_t *order = ch_text_order(questions, n);
    ch_seq *seqs = ch_new((size_t)(2 * n) + 1, sizeof *seqs);
    int64_t *pair = ch_new((size_t)n + 1, sizeof *pair);
    int64_t n_pairs = 0, n_long = 0;
    ch_code c = CH_OK;
    for (int64_t i = 0; i < n && c == CH_OK; i++) {
        const char *text = questions[order[i]];
        if (i && strcmp(text, questions[order[i - 1]]) == 0) {
            pair[i] = pair[i - 1];
            continue;
        }
        int fits = 0;
        if (ch_interrupted())
            c = ch_fail(e, CH_ESTOP, "interrupted while asking the judge");
        if (c == CH_OK)
            c = make_two(seqs + 2 * n_pairs, m, text, yes, no, &fits, e);
        pair[i] = fits ? n_pairs : -1;
        n_pairs += fits;
        n_long += !fits;
    }
    if (c == CH_OK && n_long)
        ch_log(CH_WARN, "%lld questions to the judge are longer than its context: unreadable",
               (long long)n_long);
    if (c == CH_OK)
        c = score_all(m, order, pair, n, seqs, n_pairs, o, margin, e);
    for (int64_t i = 0; i < 2 * n_pairs; i++)
        ch_seq_release(&seqs[i]);
    free(seqs);
    free(pair);
    free(order);
    return c;
}
