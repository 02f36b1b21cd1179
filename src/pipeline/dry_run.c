/* What a run would do: rows and tokens as counted, memory as planned, time from a few rows timed
 * here and now. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "generate/generate.h"
#include "pipeline/run_internal.h"

enum { TIMED = 32 };

typedef struct {
    int64_t rows, tokens, shared; /* shared: tokens when equal prefixes count once */
    int64_t longest;
} load;

static load load_of(const ch_groups *g)
{
    load l = {0};
    ch_seq *seqs = ch_new((size_t)g->n + 1, sizeof *seqs);
    for (int64_t i = 0; i < g->n; i++) {
        seqs[i] = g->list[i].list[0].seq;
        l.tokens += seqs[i].n;
        l.longest = seqs[i].n > l.longest ? seqs[i].n : l.longest;
    }
    l.rows = g->n;
    l.shared = ch_shared_rows(seqs, g->n);
    free(seqs);
    return l;
}

/* Seconds a token of a forward pass, and of a token written, each from TIMED rows. */
static ch_code time_rows(ch_state *s, const ch_groups *g, double *score_s, double *write_s,
                         ch_err *e)
{
    int64_t n = g->n < TIMED ? g->n : TIMED, tokens = 0;
    ch_seq *seqs = ch_new((size_t)n, sizeof *seqs);
    ch_request *q = ch_new((size_t)n, sizeof *q);
    ch_answer *a = ch_new((size_t)n, sizeof *a);
    double *logp = ch_new((size_t)n, sizeof *logp);
    for (int64_t i = 0; i < n; i++) {
        seqs[i] = g->list[i * g->n / n].list[0].seq;
        q[i] = (ch_request){
            .ids = seqs[i].ids, .n = seqs[i].n_prompt, .how = {.top_p = 1, .max_new = 4}};
    }
    tokens = ch_shared_rows(seqs, n);
    ch_gen_opts how = {.batch = s->r->generate.batch, .max_rows = s->r->generate.max_rows};
    ch_gen_stats st = {0};
    ch_code c = ch_score(s->base, seqs, n, &how, logp, e); /* once to warm up */
    double t0 = ch_now_s();
    if (c == CH_OK)
        c = ch_score(s->base, seqs, n, &how, logp, e);
    *score_s = (ch_now_s() - t0) / (double)(tokens ? tokens : 1);
    if (c == CH_OK)
        c = ch_generate(s->base, q, n, &how, a, &st, e);
    *write_s = st.decode_s / (double)(st.new_tokens ? st.new_tokens : 1);
    for (int64_t i = 0; i < n; i++)
        ch_answer_release(&a[i]);
    free(seqs);
    free(q);
    free(a);
    free(logp);
    return c;
}

typedef struct {
    load sft, sft_ia;
    int64_t prompts, prompt_tokens, prompt_rows;
    double score_s, write_s, train_s, measure_s, bytes;
    int64_t candidates;
} estimate;

static void add_times(estimate *x, const ch_state *s)
{
    const ch_recipe *r = s->r;
    double per_prompt = (double)x->prompt_rows / (double)(x->prompts ? x->prompts : 1);
    x->measure_s = (double)x->prompt_rows * x->score_s +
                   (double)(x->prompts * r->generate.max_new) * x->write_s;
    x->measure_s *= (double)r->n_arms;
    for (int64_t i = 1; i < r->n_arms; i++) {
        const ch_arm *a = &r->arms[i];
        const load *l = a->augment ? &x->sft_ia : &x->sft;
        const ch_objective *o = ch_objective_find(a->objective);
        double row = (double)l->tokens / (double)(l->rows ? l->rows : 1);
        /* A backward pass costs two forward ones; a group of pairs is about one prompt and its
         * answers. */
        x->train_s += 3 * x->score_s * row * (double)(a->train.steps * a->train.batch);
        if (!o->uses_bad)
            continue;
        int64_t asked =
            a->align.items && a->align.items < x->sft.rows ? a->align.items : x->sft.rows;
        double n = (double)x->sft_ia.rows * (double)asked / (double)x->sft.rows *
                   (double)(1 + a->align.samples);
        x->candidates = (int64_t)n;
        x->train_s += n * ((double)a->align.max_new * x->write_s + per_prompt * x->score_s);
        if (a->align.reward == CH_REWARD_SELF)
            x->train_s += 2 * n * row * x->score_s;
    }
}

static ch_code fill(estimate *x, ch_state *s, ch_err *e)
{
    const ch_recipe *r = s->r;
    ch_groups g;
    int64_t dropped;
    int drop = r->data.overlong == CH_OVERLONG_DROP;
    ch_answer_how how = ch_answer_how_of(r, NULL);
    CH_TRY(ch_prompts_check(s->base, &s->split, &how, &x->prompts, &x->prompt_tokens,
                            &x->prompt_rows, e));
    CH_TRY(ch_sft_groups(&g, s->base, &s->split, 0, 0, r->data.max_len, drop, &dropped, e));
    x->sft = load_of(&g);
    ch_groups_release(&g);
    CH_TRY(ch_sft_groups(&g, s->base, &s->split, 1, 0, r->data.max_len, drop, &dropped, e));
    x->sft_ia = load_of(&g);
    ch_code c = time_rows(s, &g, &x->score_s, &x->write_s, e);
    ch_groups_release(&g);
    CH_TRY(c);
    x->bytes = (double)ch_train_bytes(s->base, &r->train, x->sft_ia.longest);
    add_times(x, s);
    return CH_OK;
}

static json_t *load_json(const load *l)
{
    return json_pack("{s:I,s:I,s:I,s:I}", "rows", (json_int_t)l->rows, "tokens",
                     (json_int_t)l->tokens, "tokens_shared", (json_int_t)l->shared, "longest",
                     (json_int_t)l->longest);
}

static void print_json(FILE *out, const estimate *x, const ch_state *s)
{
    json_t *v = json_pack(
        "{s:o,s:o,s:{s:I,s:I,s:I},s:I,s:f,s:f,s:f,s:f,s:s}", "train", load_json(&x->sft),
        "train_augmented", load_json(&x->sft_ia), "test", "prompts", (json_int_t)x->prompts,
        "tokens", (json_int_t)x->prompt_tokens, "tokens_shared", (json_int_t)x->prompt_rows,
        "candidates", (json_int_t)x->candidates, "train_bytes_estimate", x->bytes,
        "available_bytes", (double)ch_available_bytes(), "train_seconds_estimate", x->train_s,
        "measure_seconds_estimate", x->measure_s, "device", ch_device_text(s->device));
    char *text = json_dumps(v, JSON_INDENT(2));
    fprintf(out, "%s\n", text);
    free(text);
    json_decref(v);
}

static void print_load(FILE *out, const char *what, const load *l)
{
    fprintf(
        out,
        "%-36s %8lld rows  %10lld tokens  %10lld when shared prefixes count once  longest %lld\n",
        what, (long long)l->rows, (long long)l->tokens, (long long)l->shared,
        (long long)l->longest);
}

static void print_text(FILE *out, const estimate *x, const ch_state *s)
{
    char a[32], b[32], c[32];
    fprintf(out, "model    %s, %.1f million parameters\n", ch_model_name(s->base),
            1e-6 * (double)ch_model_n_params(s->base));
    fprintf(out, "device   %s\n", ch_device_text(s->device));
    fprintf(out, "tested   %s\n\n", "every test wording with every test input");
    print_load(out, "training rows, instruction only", &x->sft);
    print_load(out, "training rows, with wordings", &x->sft_ia);
    fprintf(out, "%-36s %8lld rows  %10lld tokens  %10lld when shared prefixes count once\n",
            "test prompts", (long long)x->prompts, (long long)x->prompt_tokens,
            (long long)x->prompt_rows);
    if (x->candidates)
        fprintf(out, "%-36s %8lld\n", "candidate answers", (long long)x->candidates);
    fprintf(out, "\nmemory   %.2f GB for training (estimate); %.2f GB are available\n",
            1e-9 * x->bytes, 1e-9 * (double)ch_available_bytes());
    fprintf(out, "time     about %s: training and candidates %s, %lld times measuring %s at most\n",
            ch_duration(x->train_s + x->measure_s, a), ch_duration(x->train_s, b),
            (long long)s->r->n_arms, ch_duration(x->measure_s / (double)s->r->n_arms, c));
    fprintf(out,
            "         (an estimate from %d rows timed here; answers counted at their full length "
            "of %lld tokens)\n",
            TIMED, (long long)s->r->generate.max_new);
}

ch_code ch_dry_run(const ch_recipe *r, FILE *out, int json, ch_err *e)
{
    ch_state s = {.lock = -1};
    estimate x = {0};
    ch_code c = ch_state_load(&s, r, e);
    if (c == CH_OK && !strcmp(r->data.wordings, "paraphrase"))
        c = ch_fail(
            e, CH_EUSER,
            "a dry run cannot know the wordings that the model will write; run chorus paraphrase "
            "first and name its file in data.wordings");
    if (c == CH_OK)
        c = ch_state_split(&s, e);
    if (c == CH_OK)
        c = fill(&x, &s, e);
    if (c == CH_OK && json)
        print_json(out, &x, &s);
    else if (c == CH_OK)
        print_text(out, &x, &s);
    ch_state_release(&s);
    return c;
}
