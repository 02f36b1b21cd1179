#include "tensor/device.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __x86_64__
#include <cpuid.h>
#endif

#include "base/enter.h"
#include "base/log.h"
#include "base/mem.h"
#include "tensor/cpu.h"
#include "tensor/selfcheck.h"
#include "tensor/team.h"

typedef struct {
    int avx2, avx512, bf16, fast_bf16;
    char name[64];
} cpu_facts;

#ifdef __x86_64__
static void cpu_name(char name[64])
{
    unsigned r[12];
    for (unsigned i = 0; i < 3; i++)
        if (!__get_cpuid(0x80000002u + i, r + 4 * i, r + 4 * i + 1, r + 4 * i + 2, r + 4 * i + 3))
            return;
    char raw[49] = {0};
    memcpy(raw, r, 48);
    size_t n = 0;
    for (char *s = raw; *s; s++)
        if (*s != ' ' || (n && name[n - 1] != ' '))
            name[n++] = *s;
    name[n] = 0;
}

/* bf16 pays where its products are faster than f32's: with AMX, on AMD since Zen 4, and on Intel's
 * Cooper Lake. Intel's later cores without AMX run vdpbf16ps at half of f32's rate in operations a
 * second. */
static cpu_facts look(void)
{
    cpu_facts c = {0};
    unsigned a, b, x, d;
    __builtin_cpu_init();
    c.avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    c.avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
    if (__get_cpuid_count(7, 1, &a, &b, &x, &d))
        c.bf16 = (a >> 5 & 1) && c.avx512;
    int amx = __get_cpuid_count(7, 0, &a, &b, &x, &d) && (d >> 22 & 1) && (d >> 24 & 1);
    int cooper = __builtin_cpu_is("intel") && __get_cpuid(1, &a, &b, &x, &d) &&
                 (a >> 4 & 0xf) == 5 && (a >> 16 & 0xf) == 5;
    c.fast_bf16 = c.bf16 && (amx || cooper || __builtin_cpu_is("amd"));
    cpu_name(c.name);
    return c;
}
#else
static cpu_facts look(void)
{
    return (cpu_facts){.name = "CPU"};
}
#endif

static ch_code choose_isa(ch_isa *isa, const cpu_facts *c, ch_err *e)
{
    if (*isa == CH_ISA_AUTO)
        *isa = c->avx512 ? CH_ISA_AVX512 : c->avx2 ? CH_ISA_AVX2 : CH_ISA_PORTABLE;
    if ((*isa == CH_ISA_AVX512 && !c->avx512) || (*isa == CH_ISA_AVX2 && !c->avx2))
        return ch_fail(e, CH_EUSER, "--isa %s: this CPU (%s) lacks it; leave it at auto",
                       *isa == CH_ISA_AVX512 ? "avx512" : "avx2", c->name);
    return CH_OK;
}

/* The avx512 kernels for bf16 need its instructions as well. */
static const ch_ops *choose_ops(ch_isa isa, int bf16, const cpu_facts *c)
{
#ifdef __x86_64__
    if (isa == CH_ISA_AVX512 && (!bf16 || c->bf16))
        return bf16 ? &ch_ops_avx512_bf16 : &ch_ops_avx512_f32;
    if (isa != CH_ISA_PORTABLE)
        return bf16 ? &ch_ops_avx2_bf16 : &ch_ops_avx2_f32;
#else
    (void)isa;
    (void)c;
#endif
    return bf16 ? &ch_ops_portable_bf16 : &ch_ops_portable_f32;
}

/* 0: all cores. */
static int choose_threads(int wanted)
{
    int asked = wanted ? wanted : omp_get_num_procs();
    int capped = asked < CH_MOST_THREADS ? asked : CH_MOST_THREADS, got = ch_team_now(capped);
    if (capped < asked)
        ch_log(CH_WARN, "threads: %d of %d are used, the most there can be", capped, asked);
    if (got < capped)
        ch_log(
            CH_WARN,
            "threads: %d of %d are to be had (OMP_THREAD_LIMIT, a limit of the system, or a call "
            "from inside a parallel region): computing with %d",
            got, capped, got);
    return got;
}

static void release(void *d, size_t n CH_UNUSED)
{
    ch_device_close(d);
}

ch_code ch_device_open(ch_device **out, ch_precision p, ch_isa isa, int threads, ch_err *e)
{
    static const char *const isa_name[] = {"auto", "portable", "avx2", "avx512"};
    cpu_facts c = look();
    *out = NULL;
    if (threads < 0)
        return ch_fail(e, CH_EUSER, "threads: %d, want 1 or more, or 0 for all cores", threads);
    CH_TRY(choose_isa(&isa, &c, e));
    int bf16 =
        p == CH_PRECISION_BF16 || (p == CH_PRECISION_AUTO && c.fast_bf16 && isa == CH_ISA_AVX512);
    if (bf16 && !c.avx512)
        return ch_fail(e, CH_EUSER,
                       "--precision bf16: oneDNN multiplies bf16 with AVX-512 only and this CPU "
                       "(%s) lacks it; take f32, or leave it at auto",
                       c.name);
    if (bf16 && !(c.bf16 && isa == CH_ISA_AVX512))
        ch_log(CH_WARN,
               "bf16 was asked for, but runs without the CPU's bf16 instructions here: slow");
    ch_device *d = ch_new(1, sizeof *d);
    d->threads = choose_threads(threads);
    d->precision = bf16 ? CH_PRECISION_BF16 : CH_PRECISION_F32;
    d->ops = choose_ops(isa, bf16, &c);
    d->room_bytes = (d->ops->room_bytes + 4095) / 4096 * 4096;
    d->rooms = ch_new_pages((size_t)d->threads * d->room_bytes);
    snprintf(d->text, sizeof d->text, "%s, %s, %d thread%s, %s", bf16 ? "bf16" : "f32",
             isa_name[isa], d->threads, d->threads == 1 ? "" : "s", c.name);
    /* --isa holds for the kernels; bf16 products need all that oneDNN finds */
    ch_guard(release, d, 0);
    ch_code code = ch_gemm_open(&d->gemm, d, bf16 ? CH_ISA_AVX512 : isa, e);
    if (code == CH_OK)
        code = ch_selfcheck(d, e);
    if (code == CH_OK)
        *out = d;
    else
        ch_device_close(d);
    return code;
}

void ch_device_close(ch_device *d)
{
    if (!d)
        return;
    ch_unguard(d);
    ch_gemm_close(d->gemm);
    free(d->rooms);
    free(d);
}
