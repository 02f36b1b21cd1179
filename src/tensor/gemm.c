#include "tensor/gemm.h"

#include <dnnl.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/log.h"
#include "base/mem.h"
#include "tensor/device_state.h"
#include "tensor/team.h"

/* oneDNN 2.6 and 3.x differ in names only: the descriptor of a memory became opaque, and a
 * primitive descriptor is made in one call. */
#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t md_t;
typedef const_dnnl_memory_desc_t md_arg;
#define MD_ARG(m) (m)
#else
typedef dnnl_memory_desc_t md_t;
typedef const dnnl_memory_desc_t *md_arg;
#define MD_ARG(m) (&(m))
#endif

/* What a primitive of the cache does: a product, or the packing of a product's right side. It is
 * cut for a team of so many threads, and computes a part only on fewer. */
typedef struct {
    int64_t M, N, K;
    int team;
    unsigned char bf16, out_f32, ta, tb, add, packs;
} shape;

typedef struct {
    void *p;
    size_t bytes;
} buffer;

typedef struct {
    shape key;
    int used;
    dnnl_primitive_t prim;
    dnnl_memory_t a, b, c, room;
    size_t room_bytes;
} entry;

/* Right sides are packed on the fly for products of so many rows. */
enum { SLOTS = 4096, PACK_ROWS = 384, CODE_BYTES = 16 << 20 };

struct ch_gemm_cache {
    ch_device *device;
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    entry slot[SLOTS];
    int64_t n;
    int widens; /* 1: oneDNN has no bf16 product here; -1: not asked yet */
    int packs;  /* packed right sides pay: from AVX-512 on */
    float *wide[3];
    int64_t wide_cap[3];
    buffer room;   /* what the products need while they run: kept, as fresh pages cost much */
    buffer packed; /* a right side packed for one product */
};

/* Memory is the one thing oneDNN may lack; any other refusal is 0. */
static int done(dnnl_status_t s)
{
    ch_need(s == dnnl_out_of_memory ? NULL : &s);
    return s == dnnl_success;
}

static md_t plain(int64_t rows, int64_t cols, int transposed, int bf16)
{
    dnnl_dims_t dims = {rows, cols}, strides = {transposed ? 1 : cols, transposed ? rows : 1};
    dnnl_data_type_t t = bf16 ? dnnl_bf16 : dnnl_f32;
    md_t m;
#if DNNL_VERSION_MAJOR >= 3
    CH_MUST(done(dnnl_memory_desc_create_with_strides(&m, 2, dims, t, strides)));
#else
    CH_MUST(done(dnnl_memory_desc_init_by_strides(&m, 2, dims, t, strides)));
#endif
    return m;
}

/* (K,N) in panels of 64 columns, K inside; pairs of rows side by side in bf16. */
static md_t panels(int64_t rows, int64_t cols, int bf16)
{
    dnnl_dims_t dims = {rows, cols};
    md_t m;
#if DNNL_VERSION_MAJOR >= 3
    CH_MUST(done(dnnl_memory_desc_create_with_tag(&m, 2, dims, bf16 ? dnnl_bf16 : dnnl_f32,
                                                  bf16 ? dnnl_BA16a64b2a : dnnl_BA16a64b)));
#else
    CH_MUST(done(dnnl_memory_desc_init_by_tag(&m, 2, dims, bf16 ? dnnl_bf16 : dnnl_f32,
                                              bf16 ? dnnl_BA16a64b2a : dnnl_BA16a64b)));
#endif
    return m;
}

static void drop_md(md_t *m)
{
#if DNNL_VERSION_MAJOR >= 3
    dnnl_memory_desc_destroy(*m);
#else
    (void)m;
#endif
}

/* The attributes of every primitive: scratch comes from here, and the result may be added to. */
static dnnl_primitive_attr_t attributes(int add)
{
    dnnl_primitive_attr_t attr;
    dnnl_post_ops_t post;
    CH_MUST(done(dnnl_primitive_attr_create(&attr)));
    CH_MUST(done(dnnl_post_ops_create(&post)));
    CH_MUST(done(dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user)));
    if (add) {
#if DNNL_VERSION_MAJOR >= 3
        CH_MUST(done(dnnl_post_ops_append_sum(post, 1.f, 0, dnnl_data_type_undef)));
#else
        CH_MUST(done(dnnl_post_ops_append_sum(post, 1.f)));
#endif
    }
    CH_MUST(done(dnnl_primitive_attr_set_post_ops(attr, post)));
    dnnl_post_ops_destroy(post);
    return attr;
}

/* 0 when oneDNN has no such product here. */
static int product(const ch_gemm_cache *g, dnnl_primitive_desc_t *pd, md_arg a, md_arg b, md_arg c,
                   dnnl_primitive_attr_t attr)
{
#if DNNL_VERSION_MAJOR >= 3
    return done(dnnl_matmul_primitive_desc_create(pd, g->engine, a, b, NULL, c, attr));
#else
    dnnl_matmul_desc_t d;
    CH_MUST(done(dnnl_matmul_desc_init(&d, a, b, NULL, c)));
    return done(dnnl_primitive_desc_create(pd, &d, attr, g->engine, NULL));
#endif
}

/* Makes s->prim of a product a b, or with b NULL of laying a out as c, and s->room, its scratch. */
/* oneDNN's code generator writes through NULL when it gets no pages for the code: what it takes is
 * asked for first. Nothing is touched, so it costs no memory. */
static void need_room_for_code(void)
{
    void *p = mmap(NULL, CODE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ch_need(p == MAP_FAILED ? NULL : p);
    munmap(p, CODE_BYTES);
}

static void make(const ch_gemm_cache *g, entry *s, md_arg a, const md_arg *b, md_arg c, int add)
{
    need_room_for_code();
    dnnl_primitive_attr_t attr = attributes(add);
    dnnl_primitive_desc_t pd;
    if (b)
        CH_MUST(product(g, &pd, a, *b, c, attr));
    else
        CH_MUST(done(dnnl_reorder_primitive_desc_create(&pd, a, g->engine, c, g->engine, attr)));
    CH_MUST(done(dnnl_primitive_create(&s->prim, pd)));
    md_arg room = dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
    s->room_bytes = dnnl_memory_desc_get_size(room);
    CH_MUST(done(dnnl_memory_create(&s->room, room, g->engine, DNNL_MEMORY_NONE)));
    dnnl_primitive_desc_destroy(pd);
    dnnl_primitive_attr_destroy(attr);
}

/* Packing reads b, f32 when out_f32, and writes it as panels. */
static void fill_packing(const ch_gemm_cache *g, entry *s, const shape *k)
{
    md_t from = plain(k->K, k->N, k->tb, !k->out_f32), to = panels(k->K, k->N, k->bf16);
    make(g, s, MD_ARG(from), NULL, MD_ARG(to), 0);
    CH_MUST(done(dnnl_memory_create(&s->a, MD_ARG(from), g->engine, DNNL_MEMORY_NONE)));
    CH_MUST(done(dnnl_memory_create(&s->c, MD_ARG(to), g->engine, DNNL_MEMORY_NONE)));
    drop_md(&from);
    drop_md(&to);
}

static void fill(const ch_gemm_cache *g, entry *s, const shape *k)
{
    s->key = *k;
    s->used = 1;
    if (k->packs) {
        fill_packing(g, s, k);
        return;
    }
    md_t a = plain(k->M, k->K, k->ta, k->bf16), c = plain(k->M, k->N, 0, k->bf16 && !k->out_f32);
    md_t b = k->tb == CH_PACKED ? panels(k->K, k->N, k->bf16) : plain(k->K, k->N, k->tb, k->bf16);
    md_arg right = MD_ARG(b);
    make(g, s, MD_ARG(a), &right, MD_ARG(c), k->add);
    CH_MUST(done(dnnl_memory_create(&s->a, MD_ARG(a), g->engine, DNNL_MEMORY_NONE)));
    CH_MUST(done(dnnl_memory_create(&s->b, MD_ARG(b), g->engine, DNNL_MEMORY_NONE)));
    CH_MUST(done(dnnl_memory_create(&s->c, MD_ARG(c), g->engine, DNNL_MEMORY_NONE)));
    drop_md(&a);
    drop_md(&b);
    drop_md(&c);
}

static void empty(entry *s)
{
    dnnl_primitive_destroy(s->prim);
    dnnl_memory_destroy(s->a);
    if (s->b)
        dnnl_memory_destroy(s->b);
    dnnl_memory_destroy(s->c);
    dnnl_memory_destroy(s->room);
    *s = (entry){0};
}

static int same(const shape *a, const shape *b)
{
    return a->M == b->M && a->N == b->N && a->K == b->K && a->team == b->team &&
           a->bf16 == b->bf16 && a->out_f32 == b->out_f32 && a->ta == b->ta && a->tb == b->tb &&
           a->add == b->add && a->packs == b->packs;
}

static entry *find(ch_gemm_cache *g, const shape *k)
{
    uint64_t h = (uint64_t)k->M * 0x9E3779B97F4A7C15u ^ (uint64_t)k->N * 0xC2B2AE3D27D4EB4Fu ^
                 (uint64_t)k->K * 0x165667B19E3779F9u;
    h ^= (uint64_t)(k->bf16 | k->out_f32 << 1 | k->ta << 2 | k->tb << 3 | k->add << 5 |
                    k->packs << 6 | k->team << 7)
         << 40;
    h ^= h >> 29;
    if (g->n > SLOTS / 2) { /* many row counts were seen: start again */
        for (int i = 0; i < SLOTS; i++)
            if (g->slot[i].used)
                empty(&g->slot[i]);
        g->n = 0;
    }
    for (uint64_t i = h % SLOTS;; i = (i + 1) % SLOTS) {
        entry *s = &g->slot[i];
        if (s->used && same(&s->key, k))
            return s;
        if (!s->used) {
            fill(g, s, k);
            g->n++;
            return s;
        }
    }
}

/* 1 when oneDNN has products of this type here, with a packed right side or a plain one: bf16 and
 * panels from AVX-512 on. */
static int has(const ch_gemm_cache *g, int bf16, int packed)
{
    md_t a = plain(16, 64, 0, bf16), b = packed ? panels(64, 64, bf16) : plain(64, 64, 0, bf16);
    md_t c = plain(16, 64, 0, bf16);
    dnnl_primitive_desc_t pd;
    int ok = product(g, &pd, MD_ARG(a), MD_ARG(b), MD_ARG(c), NULL);
    if (ok)
        dnnl_primitive_desc_destroy(pd);
    drop_md(&a);
    drop_md(&b);
    drop_md(&c);
    return ok;
}

/* oneDNN's instruction set is fixed for the process by its first product: products of a later
 * device with another are right, but not to the last bit those of a process of its own. */
static void hold_to(ch_isa isa)
{
#ifdef __x86_64__
    dnnl_cpu_isa_t most = isa == CH_ISA_AVX2 ? dnnl_cpu_isa_avx2 : dnnl_cpu_isa_sse41;
    const dnnl_cpu_isa_t any = 0; /* dnnl_cpu_isa_all, which oneDNN 3 calls default */
    /* Said in every case, so that ONEDNN_MAX_CPU_ISA does not say it. */
    dnnl_set_max_cpu_isa(isa == CH_ISA_AVX512 ? any : most);
    dnnl_cpu_isa_t now = dnnl_get_effective_cpu_isa();
    const dnnl_cpu_isa_t core = dnnl_cpu_isa_avx512_core;
    if (isa == CH_ISA_AVX512 ? (now & core) != core : now != most)
        ch_log(CH_WARN,
               "products keep to the instruction set of the first device that this process "
               "opened: open each set in a process of its own for the same last bits");
#else
    (void)isa;
#endif
}

ch_code ch_gemm_open(ch_gemm_cache **c, ch_device *d, ch_isa isa, ch_err *e)
{
    ch_gemm_cache *g = ch_new(1, sizeof *g);
    g->device = d;
    hold_to(isa);
    dnnl_set_verbose(0); /* stdout is data, whatever ONEDNN_VERBOSE asks for */
    dnnl_set_jit_dump(0);
    if (dnnl_engine_create(&g->engine, dnnl_cpu, 0) ||
        dnnl_stream_create(&g->stream, g->engine, dnnl_stream_default_flags)) {
        free(g);
        return ch_fail(e, CH_EIO, "oneDNN does not find a CPU engine; is libdnnl intact?");
    }
    g->widens = -1;
    g->packs = isa == CH_ISA_AVX512 && has(g, 0, 1) && has(g, 1, 1);
    *c = g;
    return CH_OK;
}

void ch_gemm_close(ch_gemm_cache *g)
{
    if (!g)
        return;
    for (int i = 0; i < SLOTS; i++)
        if (g->slot[i].used)
            empty(&g->slot[i]);
    for (int i = 0; i < 3; i++)
        free(g->wide[i]);
    free(g->room.p);
    free(g->packed.p);
    dnnl_stream_destroy(g->stream);
    dnnl_engine_destroy(g->engine);
    free(g);
}

/* Room number i for n floats, filled from bf16 unless from is NULL. */
static float *widen(ch_gemm_cache *g, int i, const uint16_t *from, int64_t n)
{
    if (n > g->wide_cap[i]) {
        g->wide[i] = ch_grow(g->wide[i], (size_t)n, sizeof(float));
        g->wide_cap[i] = n;
    }
    uint32_t *bits = (uint32_t *)g->wide[i];
    if (from) {
#pragma omp parallel for schedule(static) num_threads(ch_device_team(g->device))
        for (int64_t k = 0; k < n; k++)
            bits[k] = (uint32_t)from[k] << 16;
    }
    return g->wide[i];
}

/* The bf16 product by way of f32, for CPUs without one: right, and slow. */
static void run_widened(ch_gemm_cache *g, void *out, int out_f32, const void *a, int ta,
                        const void *b, int tb, int64_t M, int64_t N, int64_t K, int add)
{
    const float *wa = widen(g, 0, a, M * K), *wb = widen(g, 1, b, K * N);
    float *c = out_f32 ? out : widen(g, 2, add ? out : NULL, M * N);
    ch_gemm_run(g, 0, c, 1, wa, ta, wb, tb, M, N, K, add);
    if (!out_f32)
        ch_device_ops(g->device)->to_act(g->device, out, c, M * N);
}

static void *at_least(buffer *b, size_t bytes)
{
    if (bytes > b->bytes) {
        free(b->p);
        *b = (buffer){0}; /* should there be no memory, and ch_new_pages not return */
        b->p = ch_new_pages(bytes);
        b->bytes = bytes;
    }
    return b->p;
}

/* oneDNN cuts its work by what stands in OpenMP for the calling thread, when a primitive is made
 * and when it runs. */
static void run(ch_gemm_cache *g, shape k, void *out, const void *a, const void *b)
{
    k.team = ch_device_team(g->device);
    ch_team_icv was = ch_team_set(k.team);
    entry *s = find(g, &k);
    union {
        const void *in;
        void *io;
    } pa = {.in = a}, pb = {.in = b}; /* oneDNN takes inputs without const */
    CH_MUST(done(dnnl_memory_set_data_handle(s->a, pa.io)) &&
            (!b || done(dnnl_memory_set_data_handle(s->b, pb.io))) &&
            done(dnnl_memory_set_data_handle(s->c, out)) &&
            done(dnnl_memory_set_data_handle(s->room, at_least(&g->room, s->room_bytes))));
    dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, s->a},
                              {DNNL_ARG_DST, s->c},
                              {DNNL_ARG_SCRATCHPAD, s->room},
                              {DNNL_ARG_WEIGHTS, s->b}};
    CH_MUST(done(dnnl_primitive_execute(s->prim, g->stream, b ? 4 : 3, args)));
    CH_MUST(done(dnnl_stream_wait(g->stream)));
    ch_team_restore(was);
}

size_t ch_gemm_packed_bytes(const ch_gemm_cache *g, int bf16, int64_t N, int64_t K)
{
    if (!g->packs)
        return 0;
    int64_t k = bf16 ? (K + 31) / 32 * 32 : ch_round_up16(K);
    return (size_t)(k * ((N + 63) / 64 * 64)) * (bf16 ? 2 : 4);
}

void ch_gemm_pack(ch_gemm_cache *g, int bf16, void *out, const void *b, int b_f32, int tb,
                  int64_t N, int64_t K)
{
    shape k = {.N = N,
               .K = K,
               .bf16 = (unsigned char)bf16,
               .out_f32 = (unsigned char)b_f32,
               .tb = (unsigned char)tb,
               .packs = 1};
    run(g, k, out, b, NULL);
}

void ch_gemm_run(ch_gemm_cache *g, int bf16, void *out, int out_f32, const void *a, int ta,
                 const void *b, int tb, int64_t M, int64_t N, int64_t K, int add)
{
    if (bf16 && g->widens < 0)
        g->widens = !has(g, 1, 0);
    if (bf16 && g->widens) {
        run_widened(g, out, out_f32, a, ta, b, tb, M, N, K, add);
        return;
    }
    if (g->packs && !ta && tb != CH_PACKED && M >= PACK_ROWS) {
        void *p = at_least(&g->packed, ch_gemm_packed_bytes(g, bf16, N, K));
        ch_gemm_pack(g, bf16, p, b, !bf16, tb, N, K);
        b = p;
        tb = CH_PACKED;
    }
    shape k = {.M = M,
               .N = N,
               .K = K,
               .bf16 = (unsigned char)bf16,
               .out_f32 = (unsigned char)(out_f32 || !bf16),
               .ta = (unsigned char)ta,
               .tb = (unsigned char)tb,
               .add = (unsigned char)add};
    run(g, k, out, a, b);
}

void ch_cpu_gemm(ch_device *d, void *c, int c_f32, const void *a, int ta, const void *b, int tb,
                 int64_t M, int64_t N, int64_t K, int add)
{
    if (tb == CH_PACKED && M <= CH_FEW && K % 2 == 0 && !ta && !add)
        d->ops->gemm_few(d, c, c_f32, a, b, M, N, K);
    else
        ch_gemm_run(d->gemm, d->precision == CH_PRECISION_BF16, c, c_f32, a, ta, b, tb, M, N, K,
                    add);
}

size_t ch_cpu_packed_bytes(ch_device *d, int64_t N, int64_t K)
{
    return ch_gemm_packed_bytes(d->gemm, d->precision == CH_PRECISION_BF16, N, K);
}

void ch_cpu_pack(ch_device *d, void *out, const float *w, int tb, int64_t N, int64_t K)
{
    ch_gemm_pack(d->gemm, d->precision == CH_PRECISION_BF16, out, w, 1, tb, N, K);
}
