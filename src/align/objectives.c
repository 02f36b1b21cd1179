#include "align/objectives.h"

#include <string.h>

#include "align/losses.h"
#include "base/str.h"

/* [P] the paper, [I] our reading, [+] ours: see losses.h and train/objective.c. */
const ch_objective ch_objectives[] = {
    {
        .name = "sft",
        .what = "cross-entropy of the good answer",
        .groups = CH_GROUPS_ROWS,
        .linear = 1,
        .loss = ch_loss_sft,
    },
    {
        .name = "cat",
        .what = "lambda * hinge of bad over good (mean log P a token) + sft",
        .groups = CH_GROUPS_PAIRS,
        .reads = CH_READS(lambda) | CH_READS(margin),
        .loss = ch_loss_cat,
    },
    {
        .name = "listwise",
        .what = "lambda * softmax of good against its bads + sft",
        .groups = CH_GROUPS_PAIRS,
        .reads = CH_READS(lambda),
        .loss = ch_loss_listwise,
    },
    {
        .name = "dpo",
        .what = "direct preference optimisation against the arm it starts from",
        .groups = CH_GROUPS_PAIRS,
        .reads = CH_READS(beta),
        .needs_reference = 1,
        .loss = ch_loss_dpo,
    },
    {0},
};

static const ch_group_maker makers[] = {
    [CH_GROUPS_ROWS] = {.unit = "rows"},
    [CH_GROUPS_PAIRS] = {.unit = "pairs",
                         .on = "pairs of own answers",
                         .own_answers = 1,
                         .every_wording = 1},
};

const ch_objective *ch_objective_find(const char *name)
{
    for (const ch_objective *o = ch_objectives; o->name; o++) {
        if (strcmp(o->name, name) == 0)
            return o;
    }
    return NULL;
}

const ch_group_maker *ch_objective_groups(const ch_objective *o)
{
    return &makers[o ? o->groups : CH_GROUPS_ROWS];
}

/* The bit of a constant, 0 when key is none. */
static unsigned bit_of(const char *key)
{
    for (unsigned i = 0; ch_constant_names[i]; i++) {
        if (strcmp(ch_constant_names[i], key) == 0)
            return 1u << i;
    }
    return 0;
}

int ch_objective_reads(const ch_objective *o, const char *key)
{
    unsigned bit = bit_of(key);
    return !bit || (o->reads & bit);
}

char *ch_objective_readers(const char *key)
{
    ch_str b = {0};
    unsigned bit = bit_of(key);
    for (const ch_objective *o = ch_objectives; o->name; o++) {
        if (o->reads & bit)
            ch_str_addf(&b, "%s%s", b.n ? ", " : "", o->name);
    }
    return ch_str_take(&b);
}
