/* llama.cpp's library driven by hand: greedy answers to prompts, and every beginning that prompts
 * share is decoded once and given to the others with llama_memory_seq_cp.
 *   llama_shared MODEL.gguf PROMPTS [threads=2] [sequences=64] [max_new=12] [unified=1]
 *                [flash=-1] [ubatch=512] [gain=16] [answers=FILE]
 * PROMPTS: a line of the ids that end an answer, then one prompt of ids a line. sequences: held at
 * once (llama.cpp allows 256); the prompts are taken in sorted order, so that neighbours share
 * most. gain: tokens that sharing must save to be worth a batch of its own.
 * Prints one JSON line. */
#include <llama.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

typedef struct {
    int32_t *ids, *answer;
    int n, n_answer, line;
} prompt;

/* Sequences [first, end) share the tokens [from, to), which stand behind those of the parent. */
typedef struct {
    int first, end, from, to, parent, depth;
} node;

typedef struct {
    int threads, sequences, max_new, unified, flash, ubatch, gain;
    const char *answers;
    struct llama_model *model;
    struct llama_context *ctx;
    struct llama_batch batch;
    prompt *list;
    int n, longest, n_vocab;
    int32_t *stops;
    int n_stops;
    node *nodes;
    int n_nodes, cap_nodes;
    long decoded, asked, new_tokens;
    double prompt_s, decode_s;
} run;

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *need(void *p)
{
    if (!p) {
        fputs("llama_shared: out of memory\n", stderr);
        exit(1);
    }
    return p;
}

static void fail(const char *what)
{
    fprintf(stderr, "llama_shared: %s\n", what);
    exit(1);
}

static int32_t *read_ids(char *line, int *n)
{
    int32_t *ids = NULL;
    int cap = 0;
    *n = 0;
    for (char *end, *p = line;; p = end) {
        long id = strtol(p, &end, 10);
        if (end == p)
            return ids;
        if (*n == cap)
            ids = need(realloc(ids, sizeof *ids * (size_t)(cap = cap ? 2 * cap : 64)));
        ids[(*n)++] = (int32_t)id;
    }
}

static void read_prompts(run *r, const char *path)
{
    FILE *f = fopen(path, "r");
    char *line = NULL;
    size_t room = 0;
    int cap = 0;
    if (!f || getline(&line, &room, f) < 0)
        fail("the prompts cannot be read");
    r->stops = read_ids(line, &r->n_stops);
    while (getline(&line, &room, f) > 0) {
        prompt p = {.line = r->n};
        p.ids = read_ids(line, &p.n);
        if (!p.n)
            continue;
        p.answer = need(malloc(sizeof *p.answer * (size_t)r->max_new));
        if (r->n == cap)
            r->list = need(realloc(r->list, sizeof *r->list * (size_t)(cap = cap ? 2 * cap : 64)));
        r->list[r->n++] = p;
        r->longest = p.n > r->longest ? p.n : r->longest;
        r->asked += p.n;
    }
    free(line);
    fclose(f);
    if (!r->n)
        fail("there is no prompt in the file");
}

static int by_ids(const void *a, const void *b)
{
    const prompt *x = a, *y = b;
    for (int i = 0; i < x->n && i < y->n; i++)
        if (x->ids[i] != y->ids[i])
            return x->ids[i] < y->ids[i] ? -1 : 1;
    return x->n - y->n;
}

static int by_line(const void *a, const void *b)
{
    return ((const prompt *)a)->line - ((const prompt *)b)->line;
}

/* Common tokens of two prompts, but for the last one: its logits are wanted for each. */
static int common(const prompt *a, const prompt *b)
{
    int i = 0, most = (a->n < b->n ? a->n : b->n) - 1;
    while (i < most && a->ids[i] == b->ids[i])
        i++;
    return i;
}

static int add_node(run *r, node x)
{
    if (r->n_nodes == r->cap_nodes) {
        r->cap_nodes = r->cap_nodes ? 2 * r->cap_nodes : 256;
        r->nodes = need(realloc(r->nodes, sizeof *r->nodes * (size_t)r->cap_nodes));
    }
    r->nodes[r->n_nodes] = x;
    return r->n_nodes++;
}

/* The tree below the sorted prompts [first, end), which share their first `from` tokens. */
static void grow(run *r, int first, int end, int from, int parent, int depth)
{
    const prompt *p = r->list;
    int to = end - first == 1 ? p[first].n : common(p + first, p + end - 1);
    int at = parent;
    if (to > from || end - first == 1) {
        at = add_node(r, (node){first, end, from, to, parent, depth});
        depth++;
    }
    if (end - first == 1)
        return;
    for (int a = first, b; a < end; a = b) {
        for (b = a + 1; b < end && common(p + a, p + b) > to;)
            b++;
        int saves = b - a > 1 ? (b - a - 1) * (common(p + a, p + b - 1) - to) : 0;
        if (saves >= r->gain || b - a == 1)
            grow(r, a, b, to, at, depth);
        else
            for (int i = a; i < b; i++)
                grow(r, i, i + 1, to, at, depth);
    }
}

static void put(struct llama_batch *b, int32_t id, int pos, int seq, int logits)
{
    b->token[b->n_tokens] = id;
    b->pos[b->n_tokens] = pos;
    b->n_seq_id[b->n_tokens] = 1;
    b->seq_id[b->n_tokens][0] = seq;
    b->logits[b->n_tokens++] = (int8_t)logits;
}

static int32_t best_of(const float *x, int n)
{
    enum { LANES = 64 };
    float top[LANES];
    for (int k = 0; k < LANES; k++)
        top[k] = x[0];
    int i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int k = 0; k < LANES; k++)
            top[k] = x[i + k] > top[k] ? x[i + k] : top[k];
    float most = top[0];
    for (int k = 1; k < LANES; k++)
        most = top[k] > most ? top[k] : most;
    for (; i < n; i++)
        most = x[i] > most ? x[i] : most;
    for (i = 0; x[i] != most && i < n - 1;)
        i++;
    return i;
}

static int stops(const run *r, int32_t id)
{
    for (int i = 0; i < r->n_stops; i++)
        if (r->stops[i] == id)
            return 1;
    return 0;
}

/* Decodes the batch and takes the next token of row at[i] for prompt who[i]. */
static void step(run *r, const int *at, prompt *const *who, int n)
{
    if (!r->batch.n_tokens)
        return;
    if (llama_decode(r->ctx, r->batch))
        fail("llama_decode failed");
    llama_synchronize(r->ctx);
    const float **x = need(malloc(sizeof *x * (size_t)(n + 1)));
    for (int i = 0; i < n; i++)
        x[i] = llama_get_logits_ith(r->ctx, at[i]);
#pragma omp parallel for schedule(static) num_threads(r->threads)
    for (int i = 0; i < n; i++)
        who[i]->answer[who[i]->n_answer++] = best_of(x[i], r->n_vocab);
    r->new_tokens += n;
    free(x);
}

/* Reads the prompts [a, b), a level of their tree a batch. */
static void read_wave(run *r, int a, int b, int *at, prompt **who)
{
    llama_memory_t mem = llama_get_memory(r->ctx);
    llama_memory_clear(mem, false);
    r->n_nodes = 0;
    grow(r, a, b, 0, -1, 0);
    int deepest = 0;
    for (int i = 0; i < r->n_nodes; i++)
        deepest = r->nodes[i].depth > deepest ? r->nodes[i].depth : deepest;
    for (int d = 0; d <= deepest; d++) {
        int n = 0;
        r->batch.n_tokens = 0;
        for (int i = 0; i < r->n_nodes; i++) {
            const node *x = r->nodes + i;
            if (x->depth != d)
                continue;
            int seq = x->first - a;
            if (x->parent >= 0 && r->nodes[x->parent].first != x->first)
                llama_memory_seq_cp(mem, r->nodes[x->parent].first - a, seq, 0, -1);
        }
        for (int i = 0; i < r->n_nodes; i++) {
            const node *x = r->nodes + i;
            if (x->depth != d)
                continue;
            int leaf = x->end - x->first == 1;
            for (int k = x->from; k < x->to; k++)
                put(&r->batch, r->list[x->first].ids[k], k, x->first - a, leaf && k == x->to - 1);
            if (leaf) {
                at[n] = r->batch.n_tokens - 1;
                who[n++] = r->list + x->first;
            }
            r->decoded += x->to - x->from;
        }
        step(r, at, who, n);
    }
}

static void decode_wave(run *r, int a, int b, int *at, prompt **who)
{
    for (;;) {
        int n = 0;
        r->batch.n_tokens = 0;
        for (int i = a; i < b; i++) {
            prompt *p = r->list + i;
            int32_t last = p->answer[p->n_answer - 1];
            if (p->n_answer == r->max_new || stops(r, last))
                continue;
            at[n] = n;
            who[n++] = p;
            put(&r->batch, last, p->n + p->n_answer - 1, i - a, 1);
        }
        if (!n)
            return;
        step(r, at, who, n);
    }
}

static void open_context(run *r, const char *path)
{
    struct llama_model_params m = llama_model_default_params();
    struct llama_context_params c = llama_context_default_params();
    if (!(r->model = llama_model_load_from_file(path, m)))
        fail("the model cannot be loaded");
    int one = (r->longest + r->max_new + 255) / 256 * 256, most = 0;
    for (int a = 0; a < r->n; a += r->sequences) { /* the cells a wave needs */
        int b = a + r->sequences < r->n ? a + r->sequences : r->n, cells = 0;
        r->n_nodes = 0;
        grow(r, a, b, 0, -1, 0);
        for (int i = 0; i < r->n_nodes; i++)
            cells += r->nodes[i].to - r->nodes[i].from;
        most = cells > most ? cells : most;
    }
    int all = (most + r->sequences * r->max_new + 255) / 256 * 256;
    c.n_ctx = (uint32_t)(r->unified ? all : one * r->sequences);
    c.n_batch = (uint32_t)all;
    c.n_ubatch = (uint32_t)r->ubatch;
    c.n_seq_max = (uint32_t)r->sequences;
    c.n_threads = c.n_threads_batch = r->threads;
    c.flash_attn_type = (enum llama_flash_attn_type)r->flash;
    c.kv_unified = r->unified;
    if (!(r->ctx = llama_init_from_model(r->model, c)))
        fail("the context cannot be made");
    r->batch = llama_batch_init(all, 0, 1);
    r->n_vocab = llama_vocab_n_tokens(llama_model_get_vocab(r->model));
    for (int i = 0; i < 16; i++) /* a first batch is slow */
        put(&r->batch, r->list[0].ids[0], i, 0, i == 15);
    if (llama_decode(r->ctx, r->batch))
        fail("llama_decode failed");
    llama_synchronize(r->ctx);
}

static void answer_all(run *r)
{
    int *at = need(malloc(sizeof *at * (size_t)r->sequences));
    prompt **who = need(malloc(sizeof *who * (size_t)r->sequences));
    for (int a = 0; a < r->n; a += r->sequences) {
        int b = a + r->sequences < r->n ? a + r->sequences : r->n;
        double start = now_s();
        read_wave(r, a, b, at, who);
        double read = now_s();
        decode_wave(r, a, b, at, who);
        r->prompt_s += read - start;
        r->decode_s += now_s() - read;
    }
    free(at);
    free(who);
}

static void write_answers(run *r)
{
    qsort(r->list, (size_t)r->n, sizeof *r->list, by_line);
    FILE *f = fopen(r->answers, "w");
    if (!f)
        fail("the answers cannot be written");
    for (int i = 0; i < r->n; i++)
        for (int k = 0; k < r->list[i].n_answer; k++)
            fprintf(f, "%d%c", r->list[i].answer[k], k + 1 < r->list[i].n_answer ? ' ' : '\n');
    if (fclose(f))
        fail("the answers cannot be written");
}

static int set(run *r, const char *arg)
{
    struct {
        const char *key;
        int *at;
    } keys[] = {{"threads=", &r->threads}, {"sequences=", &r->sequences}, {"max_new=", &r->max_new},
                {"unified=", &r->unified}, {"flash=", &r->flash},         {"ubatch=", &r->ubatch},
                {"gain=", &r->gain}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (!strncmp(arg, keys[i].key, strlen(keys[i].key))) {
            *keys[i].at = (int)strtol(arg + strlen(keys[i].key), NULL, 10);
            return 1;
        }
    if (strncmp(arg, "answers=", 8))
        return 0;
    r->answers = arg + 8;
    return 1;
}

static void quiet(enum ggml_log_level level, const char *text, void *ctx)
{
    (void)ctx;
    if (level == GGML_LOG_LEVEL_ERROR)
        fputs(text, stderr);
}

int main(int argc, char **argv)
{
    run r = {.threads = 2,
             .sequences = 64,
             .max_new = 12,
             .unified = 1,
             .flash = -1,
             .ubatch = 512,
             .gain = 16};
    int good = argc > 2;
    for (int i = 3; i < argc; i++)
        good &= set(&r, argv[i]);
    if (!good || r.threads < 1 || r.sequences < 1 || r.sequences > 256 || r.max_new < 1) {
        fputs("usage: llama_shared MODEL.gguf PROMPTS [key=value ...]\n", stderr);
        return 2;
    }
    llama_log_set(quiet, NULL);
    llama_backend_init();
    read_prompts(&r, argv[2]);
    qsort(r.list, (size_t)r.n, sizeof *r.list, by_ids);
    open_context(&r, argv[1]);
    answer_all(&r);
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    printf("{\"per_s\": %.2f, \"prompts\": %d, \"prompt_tokens\": %ld, \"prompt_rows\": %ld, "
           "\"new_tokens\": %ld, \"prompt_s\": %.3f, \"decode_s\": %.3f, \"peak_gb\": %.3f}\n",
           (double)r.n / (r.prompt_s + r.decode_s), r.n, r.asked, r.decoded, r.new_tokens,
           r.prompt_s, r.decode_s, (double)u.ru_maxrss * 1024 / 1e9);
    if (r.answers)
        write_answers(&r);
    llama_batch_free(r.batch);
    llama_free(r.ctx);
    llama_model_free(r.model);
    return 0;
}
