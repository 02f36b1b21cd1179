/* A candidates or rewards file of arbitrary bytes: it is read or refused with a sentence. What was
 * read is rewarded by every row of the table that asks no model, makes pairs or says why not, and
 * comes back from a file of its own as it was. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "align/align_files.h"
#include "align/order.h"
#include "align/pairs.h"
#include "align/rewards.h"
#include "base/log.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static char dir[] = "/tmp/chorus-fuzz-XXXXXX";
static char *path, *again;

#define S(text)                                                                                    \
    (char[])                                                                                       \
    {                                                                                              \
        text                                                                                       \
    }
static char *gold[] = {S("spam")}, *labels[] = {S("ham"), S("spam")};
static char *wordings[] = {S("Spam or not?"), S("Is it spam?")};
static ch_instance items[] = {{S("0"), S("win money"), gold, 1}, {S("1"), S("lunch?"), gold, 1}};
static const ch_task tasks[] = {
    {.name = S("closed"),
     .instruction = S("Say spam or ham."),
     .wordings = wordings,
     .n_wordings = 2,
     .items = items,
     .n_items = 2,
     .kind = CH_KIND_CLOSED,
     .labels = labels,
     .n_labels = 2},
    {.name = S("free"),
     .instruction = S("Answer."),
     .wordings = wordings,
     .n_wordings = 1,
     .items = items,
     .n_items = 1,
     .kind = CH_KIND_FREE},
};
static ch_share shares[] = {{.task = &tasks[0]}, {.task = &tasks[1]}};
static const ch_split split = {.list = shares, .n = 2};

static void leave(void)
{
    unlink(path);
    unlink(again);
    rmdir(dir);
    free(path);
    free(again);
}

static int same_number(double a, double b)
{
    return isnan(a) ? isnan(b) : !memcmp(&a, &b, sizeof a);
}

static void comes_back(const ch_candidates *c)
{
    ch_candidates d = {0};
    ch_err e = {0};
    CH_MUST(ch_candidates_write(c, &split, again, &e) == CH_OK);
    CH_MUST(ch_candidates_read(&d, &split, again, &e) == CH_OK && d.n == c->n);
    for (int64_t i = 0; i < c->n; i++) {
        const ch_candidate *a = &c->list[i], *b = &d.list[i];
        CH_MUST(!strcmp(a->text, b->text) && a->reward == b->reward && a->why == b->why);
        CH_MUST(a->task == b->task && a->item == b->item && a->wording == b->wording);
        CH_MUST(a->sample == b->sample && a->stopped == b->stopped);
        CH_MUST(same_number(a->logp, b->logp) && same_number(a->vote_type, b->vote_type));
    }
    ch_candidates_release(&d);
}

static void pair(const ch_candidates *c, int how)
{
    ch_picks p = {0};
    ch_err e = {0};
    const ch_align_opts o = {.pool = how & 1, .gold_target = how >> 1 & 1, .max_bad = how >> 2};
    ch_code code = ch_pairs_pick(&p, c, &split, &o, &e);
    CH_MUST(code == CH_OK ? p.n > 0 : code == CH_EEMPTY && e.msg[0]);
    for (int64_t i = 0; i < p.n; i++)
        CH_MUST(p.list[i].n_bad > 0 && p.list[i].good);
    ch_picks_release(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (!path) {
        CH_MUST(mkdtemp(dir));
        path = ch_fmt("%s/candidates.jsonl", dir);
        again = ch_fmt("%s/again.jsonl", dir);
        atexit(leave);
        ch_log_level(CH_QUIET);
    }
    FILE *f = fopen(path, "wb");
    CH_MUST(f && fwrite(data, 1, n, f) == n && fclose(f) == 0);
    ch_candidates c = {0};
    ch_err e = {0};
    ch_code code = ch_candidates_read(&c, &split, path, &e);
    CH_MUST(code == CH_OK ? c.n > 0
                          : (code == CH_EUSER || code == CH_EEMPTY) && e.msg[0] && !c.list);
    if (code == CH_OK) {
        comes_back(&c);
        for (int how = 0; how < 8; how++)
            pair(&c, how);
        for (int k = 0; k < CH_N_REWARDS; k++) {
            const ch_align_opts o = {.reward = k};
            if (ch_reward_table[k].questions)
                continue;
            CH_MUST(ch_rewards(&c, NULL, &split, &o, &e) == CH_OK);
            pair(&c, 0);
        }
    }
    ch_candidates_release(&c);
    return 0;
}
