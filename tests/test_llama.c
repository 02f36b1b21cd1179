/* The real model against libllama: logits, greedy text, and a GGUF that chorus wrote. libllama
 * rounds activations when weights are quantised, so it reads the f32 file that chorus wrote.
 * libllama reads each prompt once, with the answer of chorus behind it: the answer is libllama's
 * greedy text just when every token of it is the likeliest of the position before. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "model/net.h"
#include "support/oracle.h"
#include "support/texts.h"

enum { N_PROMPTS = 20, MAX_NEW = 24, CTX = 512, N_DECODED = 3 };

/* chat: as one user turn in the model's template; else the bare text. */
typedef struct {
    int chat;
    const char *text;
} prompt;

#define LONG_TEXT                                                                                  \
    "The harbour of the town was built in 1874, when the fishing fleet had outgrown the mouth of " \
    "the river. Two stone arms reach into the bay; the northern one carries a light that was "     \
    "tended by the same family for three generations. In winter the ice pushed against the "       \
    "walls, and every spring the masons came back to set the stones that had moved. When the "     \
    "railway arrived, salted herring went inland within a day, and the number of boats doubled. "  \
    "After the second war the catches fell. Some of the boats were sold, some were burnt on the "  \
    "beach at midsummer, and the sheds became workshops, later a museum and a school for "         \
    "sailing. "

static const prompt prompts[N_PROMPTS] = {
    {1, "Hi"},
    {1, "What is the capital of France?"},
    {1, "Classify the sentiment of the review as positive or negative.\nThe battery died after two "
        "days and nobody answers my mails."},
    {1, "Write a haiku about rain."},
    {1, "Summarise the text in one sentence.\n" LONG_TEXT},
    {0, "The three primary colours are"},
    {0, "def fibonacci(n):\n    \"\"\"Return the n-th Fibonacci number.\"\"\"\n"},
    {1, "What does this program print?\n\n#include <stdio.h>\nint main(void)\n{\n    for (int i = "
        "0; i < 3; i++)\n        printf(\"%d\\n\", i * i);\n    return 0;\n}"},
    {0, "SELECT name, COUNT(*) FROM orders WHERE total > 100 GROUP BY"},
    {1, "Traduis en anglais : « Où est la bibliothèque, s'il vous plaît ? »"},
    {1, "Nenne drei Städte in Österreich und erkläre kurz, wofür sie bekannt sind."},
    {1, "日本の首都はどこですか。"},
    {0, "Москва — столица"},
    {1, "¿Cuántos días tiene un año bisiesto? Responde con un número."},
    {1, "17 + 25 = ?"},
    {0, "3.14159265358979323846264338327950288419716939937510"},
    {1, "Which is the odd one out: 2, 3, 5, 7, 9, 11?"},
    {0, "1, 1, 2, 3, 5, 8, 13, 21,"},
    {1, "Is this spam? Answer yes or no.\n\nCONGRATULATIONS!!! You have WON $1,000,000 >>> click "
        "http://win.example/claim?id=8841 <<<"},
    {0, LONG_TEXT LONG_TEXT "In short, the harbour"},
};

typedef struct {
    ch_device *d;
    ch_model *m;
    ch_net *net;
} engine;

static struct {
    char *dir, *gguf;
    engine f32;
    ch_oracle *oracle;
    int64_t V, n_rows; /* of the prompts that all_gap is about */
    int32_t *ids[N_PROMPTS];
    int64_t n[N_PROMPTS];
    ch_answer answer[N_PROMPTS]; /* greedy, f32 */
    float *chorus, *llama;       /* CH_LOGIT_ROWS and CTX rows of logits */
    float *llama_last;           /* N_PROMPTS rows: behind each prompt */
    double all_gap;              /* over all positions of the prompts that fit into s.chorus */
    int64_t differs[N_PROMPTS];  /* the answer's first token that is not libllama's, or -1 */
    double margin;               /* smallest lead of a likeliest token over the next one */
} s;

static void engine_open(engine *g, const char *gguf, ch_precision p)
{
    ch_err e = {0};
    CHECK_OK(ch_device_open(&g->d, p, test_isa(), 0, &e), &e);
    CHECK_OK(ch_model_load(&g->m, gguf, g->d, &e), &e);
    CHECK_OK(ch_net_new(&g->net, g->m, CH_NET_GENERATE, CTX, CTX, &e), &e);
}

static void engine_close(engine *g)
{
    ch_net_free(g->net);
    ch_model_free(g->m);
    ch_device_close(g->d);
    *g = (engine){0};
}

static void make_prompts(const ch_model *m)
{
    for (int i = 0; i < N_PROMPTS; i++) {
        ch_err e = {0};
        char *text = NULL;
        if (prompts[i].chat)
            CHECK_OK(ch_chat(m, prompts[i].text, &text, &e), &e);
        else
            text = ch_dup(prompts[i].text);
        CHECK_OK(ch_tokenize(m, text, &s.ids[i], &s.n[i], &e), &e);
        CHECK_(s.n[i] >= 1 && s.n[i] + MAX_NEW <= CTX);
        free(text);
    }
}

/* Logits of rows [from, n) of one sequence read as one piece, into s.chorus. */
static void chorus_logits(engine *g, const int32_t *ids, int64_t n, int64_t from)
{
    const ch_dims *z = ch_model_dims(g->m);
    int64_t pad = (n + 31) / 32 * 32;
    int32_t *row = ch_new((size_t)(4 * pad), sizeof *row);
    int32_t *pos = row + pad, *slot = pos + pad, *lrows = slot + pad;
    for (int64_t i = 0; i < pad; i++) {
        row[i] = i < n ? ids[i] : -1;
        pos[i] = i < n ? (int32_t)i : 0;
        slot[i] = (int32_t)i;
        lrows[i] = (int32_t)(from + i);
    }
    ch_plan plan = {0};
    ch_plan_piece(&plan, 0, (int32_t)n, 0);
    ch_plan_tiles(&plan, ch_tile_rows(z->H, z->G));
    ch_rows r = {pad, n, row, pos, slot, &plan, lrows, n - from};
    const float *x = ch_net_decode(g->net, &r);
    memcpy(s.chorus, x, (size_t)((n - from) * z->V) * sizeof *x);
    ch_plan_release(&plan);
    free(row);
}

/* Largest difference; infinite for anything that is not finite. */
static double worst_gap(const float *a, const float *b, int64_t n)
{
    double worst = n > 0 ? 0 : INFINITY;
    for (int64_t i = 0; i < n; i++) {
        double gap = fabs((double)a[i] - (double)b[i]);
        worst = gap <= worst ? worst : isfinite(gap) ? gap : INFINITY;
    }
    return worst;
}

static void greedy(engine *g, int32_t *const *ids, const int64_t *n, ch_answer *out)
{
    ch_err e = {0};
    ch_request r[N_PROMPTS];
    for (int i = 0; i < N_PROMPTS; i++)
        r[i] = (ch_request){ids[i], n[i], {.top_p = 1, .max_new = MAX_NEW}};
    CHECK_OK(ch_generate(g->m, r, N_PROMPTS, NULL, out, NULL, &e), &e);
}

/* The largest logit's index; *margin: its lead over the next one. */
static int32_t likeliest(const float *x, int64_t V, double *margin)
{
    int64_t best = 0;
    float next = -INFINITY;
    for (int64_t v = 1; v < V; v++) {
        if (x[v] > x[best]) {
            next = x[best];
            best = v;
        } else if (x[v] > next)
            next = x[v];
    }
    *margin = (double)x[best] - (double)next;
    return (int32_t)best;
}

/* libllama reads prompt i and the answer of chorus. */
static void ask_libllama(int i)
{
    ch_err e = {0};
    const ch_answer *a = &s.answer[i];
    int64_t n = s.n[i], all = n + a->n;
    int32_t *ids = ch_new((size_t)all, sizeof *ids);
    memcpy(ids, s.ids[i], (size_t)n * sizeof *ids);
    memcpy(ids + n, a->ids, (size_t)a->n * sizeof *ids);
    CHECK_OK(ch_oracle_logits(s.oracle, ids, all, 1, s.llama, &e), &e);
    memcpy(s.llama_last + i * s.V, s.llama + (n - 1) * s.V, (size_t)s.V * sizeof *s.llama);
    s.differs[i] = -1;
    for (int64_t k = a->n - 1; k >= 0; k--) {
        double margin;
        if (likeliest(s.llama + (n - 1 + k) * s.V, s.V, &margin) != a->ids[k])
            s.differs[i] = k;
        s.margin = fmin(s.margin, margin);
    }
    if (n <= CH_LOGIT_ROWS) {
        chorus_logits(&s.f32, ids, n, 0);
        s.all_gap = fmax(s.all_gap, worst_gap(s.chorus, s.llama, n * s.V));
        s.n_rows += n;
    }
    free(ids);
}

static int set_up(void **state)
{
    (void)state;
    ch_err e = {0};
    ch_log_level(CH_WARN);
    char *model = model_file();
    CHECK_(model != NULL);
    engine_open(&s.f32, model, CH_PRECISION_F32);
    s.dir = scratch_dir();
    s.gguf = ch_fmt("%s/f32.gguf", s.dir);
    ch_origin from = {.base_hash = "of the test", .stage = "none"};
    CHECK_OK(ch_model_save(s.f32.m, s.gguf, CH_SAVE_F32, &from, &e), &e);
    /* one thread: ggml's barriers spin, which takes for ever when other work holds the cores */
    CHECK_OK(ch_oracle_open(&s.oracle, s.gguf, CTX, 1, &e), &e);
    s.V = ch_model_dims(s.f32.m)->V;
    CHECK_(ch_oracle_n_vocab(s.oracle) == s.V);
    make_prompts(s.f32.m);
    s.chorus = ch_new((size_t)(CH_LOGIT_ROWS * s.V), sizeof *s.chorus);
    s.llama = ch_new((size_t)(CTX * s.V), sizeof *s.llama);
    s.llama_last = ch_new((size_t)(N_PROMPTS * s.V), sizeof *s.llama_last);
    s.margin = INFINITY;
    greedy(&s.f32, s.ids, s.n, s.answer);
    for (int i = 0; i < N_PROMPTS; i++)
        ask_libllama(i);
    free(model);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ch_oracle_close(s.oracle);
    engine_close(&s.f32);
    for (int i = 0; i < N_PROMPTS; i++) {
        free(s.ids[i]);
        ch_answer_release(&s.answer[i]);
    }
    free(s.chorus);
    free(s.llama);
    free(s.llama_last);
    free(s.gguf);
    scratch_remove(s.dir);
    return 0;
}

/* The last position of every prompt: the largest difference, and the mean of the prompts' own. */
static double last_gap(engine *g, double *mean)
{
    double worst = 0;
    *mean = 0;
    for (int i = 0; i < N_PROMPTS; i++) {
        chorus_logits(g, s.ids[i], s.n[i], s.n[i] - 1);
        double gap = worst_gap(s.chorus, s.llama_last + i * s.V, s.V);
        worst = fmax(worst, gap);
        *mean += gap / N_PROMPTS;
        if (gap > 1e-3 && g == &s.f32)
            fprintf(stderr, "prompt %d (%lld tokens): logits differ by %.3g\n", i,
                    (long long)s.n[i], gap);
    }
    return worst;
}

static void logits_of_20_prompts_in_f32_are_libllamas(void **state)
{
    (void)state;
    double mean, worst = last_gap(&s.f32, &mean);
    int64_t longest = 0;
    for (int i = 0; i < N_PROMPTS; i++)
        longest = s.n[i] > longest ? s.n[i] : longest;
    fprintf(stderr,
            "f32: last logits of %d prompts of up to %lld tokens differ from libllama's by at most "
            "%.3g (bar 1e-3)\n",
            N_PROMPTS, (long long)longest, worst);
    CHECK_(worst <= 1e-3);
    CHECK_(longest > 200);
}

static void so_are_the_logits_of_every_position(void **state)
{
    (void)state;
    fprintf(stderr, "f32: logits of %lld positions differ by at most %.3g\n", (long long)s.n_rows,
            s.all_gap);
    CHECK_(s.all_gap <= 1e-3);
    CHECK_(s.n_rows > 400);
}

static void a_written_gguf_gives_libllama_the_greedy_text_of_chorus(void **state)
{
    (void)state;
    int64_t tokens = 0, equal = 0;
    for (int i = 0; i < N_PROMPTS; i++) {
        CHECK_(s.answer[i].n >= 1);
        tokens += s.answer[i].n;
        equal += s.differs[i] < 0;
        if (s.differs[i] >= 0)
            fprintf(stderr, "prompt %d: token %lld of \"%s\" is not libllama's\n", i,
                    (long long)s.differs[i], s.answer[i].text);
    }
    fprintf(stderr,
            "f32: %lld of %d greedy texts are libllama's (%lld tokens; closest race %.3g)\n",
            (long long)equal, N_PROMPTS, (long long)tokens, s.margin);
    CHECK_(equal == N_PROMPTS);
    CHECK_(tokens > 10 * N_PROMPTS);
}

static void libllamas_own_decoding_writes_the_same(void **state)
{
    (void)state;
    static const int some[N_DECODED] = {1, 6, 11};
    if (test_isa() != CH_ISA_AUTO)
        skip(); /* nothing of ours computes here */
    for (int k = 0; k < N_DECODED; k++) {
        ch_err e = {0};
        const ch_answer *a = &s.answer[some[k]];
        int32_t out[MAX_NEW];
        int64_t n;
        CHECK_OK(ch_oracle_greedy(s.oracle, s.ids[some[k]], s.n[some[k]], MAX_NEW, out, &n, &e),
                 &e);
        CHECK_(n == a->n);
        CHECK_SAME_BYTES(out, a->ids, (size_t)n * sizeof *out);
    }
}

/* Short jobs, as the program is used for: 18 of 20 texts are the same over as many tokens as such
 * answers have. All texts, these and those of the prompts above, may part over MAX_NEW tokens, but
 * only where f32 itself was undecided: LEAD is how much likelier, as log P, its own token may have
 * been than that of bf16. 0.09 is the most that was seen in 200 texts (0.05 in these 40). */
enum { JOB_TOKENS = 8 };
static const double LEAD = 0.25;
static const char *const jobs[N_PROMPTS] = {
    "What is the capital of France?",
    "What is the capital of Italy? Answer with one word.",
    "Classify the sentiment as positive or negative: The battery died after two days.",
    "Classify the sentiment as positive or negative: I love this phone, it is wonderful.",
    "How many days are there in a week?",
    "Which planet do we live on?",
    "Translate to French: Good morning.",
    "What is 2 plus 2?",
    "What colour is the sky on a clear day?",
    "Who wrote Romeo and Juliet?",
    "What is the opposite of hot?",
    "Name the largest ocean.",
    "Is a whale a fish or a mammal?",
    "What is the chemical formula of water?",
    "Which animal barks?",
    "What is the plural of mouse?",
    "How many legs does a spider have?",
    "What is the first month of the year?",
    "What language is spoken in Brazil?",
    "What do bees make?",
};

static int same_begin(const ch_answer *a, const ch_answer *b, int64_t most)
{
    int64_t na = a->n < most ? a->n : most, nb = b->n < most ? b->n : most;
    return na == nb && !memcmp(a->ids, b->ids, (size_t)na * sizeof *a->ids);
}

/* How far the bf16 texts of 20 prompts went with those of f32. */
typedef struct {
    int begin, whole; /* the same over JOB_TOKENS, MAX_NEW tokens */
    double lead, least;
} company;

static company compare_texts(engine *bf16, int32_t *const *ids, const int64_t *n,
                             const ch_answer *want)
{
    company c = {.least = INFINITY};
    ch_answer got[N_PROMPTS];
    greedy(bf16, ids, n, got);
    for (int i = 0; i < N_PROMPTS; i++) {
        ch_request r = {.ids = ids[i], .n = n[i]};
        c.begin += same_begin(want + i, got + i, JOB_TOKENS);
        if (same_begin(want + i, got + i, MAX_NEW)) {
            c.whole++;
        } else {
            double lead = lead_where_they_part(s.f32.m, &r, want + i, got + i);
            c.lead = fmax(c.lead, lead);
            c.least = fmin(c.least, lead);
        }
        ch_answer_release(got + i);
    }
    return c;
}

static void bf16_stays_near_and_parts_from_f32_only_where_f32_was_undecided(void **state)
{
    (void)state;
    engine g = {0};
    ch_err e = {0};
    ch_answer want[N_PROMPTS];
    ch_seq seq[N_PROMPTS];
    int32_t *ids[N_PROMPTS];
    int64_t n[N_PROMPTS];
    if (!can_compute(CH_PRECISION_BF16, test_isa()))
        skip();
    for (int i = 0; i < N_PROMPTS; i++) {
        CHECK_OK(ch_seq_make(&seq[i], s.f32.m, jobs[i], NULL, 0, "job", &e), &e);
        ids[i] = seq[i].ids;
        n[i] = seq[i].n;
    }
    greedy(&s.f32, ids, n, want);
    engine_open(&g, s.gguf, CH_PRECISION_BF16);
    double mean, worst = last_gap(&g, &mean);
    company job = compare_texts(&g, ids, n, want), other = {.least = INFINITY};
    int whole = test_isa() == CH_ISA_AUTO; /* oneDNN held to less takes its time for bf16 */
    if (whole)
        other = compare_texts(&g, s.ids, s.n, s.answer);
    engine_close(&g);
    for (int i = 0; i < N_PROMPTS; i++) {
        ch_seq_release(&seq[i]);
        ch_answer_release(want + i);
    }
    fprintf(stderr,
            "bf16: last logits differ by at most %.3g (mean of the prompts' largest %.3g); greedy "
            "texts as in f32: %d of %d short jobs over %d tokens, %d over %d, %d of %d other "
            "prompts; where they part f32 preferred its own by %.3g at most\n",
            worst, mean, job.begin, N_PROMPTS, JOB_TOKENS, job.whole, MAX_NEW, other.whole,
            whole ? N_PROMPTS : 0, fmax(job.lead, other.lead));
    CHECK_(worst > 1e-3); /* it really was another precision */
    CHECK_(worst < 2);
    CHECK_(job.begin >= 18);
    CHECK_(job.lead < LEAD && other.lead < LEAD);
    CHECK_(fmin(job.least, other.least) > -1e-3); /* f32 does take what it prefers */
}

int main(void)
{
    if (!isa_is_here())
        return SKIPPED;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logits_of_20_prompts_in_f32_are_libllamas),
        cmocka_unit_test(so_are_the_logits_of_every_position),
        cmocka_unit_test(a_written_gguf_gives_libllama_the_greedy_text_of_chorus),
        cmocka_unit_test(libllamas_own_decoding_writes_the_same),
        cmocka_unit_test(bf16_stays_near_and_parts_from_f32_only_where_f32_was_undecided),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
