#include "recipe/fields.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "align/objectives.h"
#include "align/rewards.h"
#include "base/mem.h"
#include "base/str.h"
#include "data/text_file.h"
#include "recipe/number.h"

static const char *const precisions[] = {"auto", "f32", "bf16", NULL};
static const char *const isas[] = {"auto", "portable", "avx2", "avx512", NULL};
static const char *const saves[] = {"f32", "f16", "bf16", NULL};
static const char *const overlongs[] = {"refuse", "drop", NULL};
static const char *const splits[] = {"both", "input", "wording", "task", "files", "none", NULL};
static const char *const decodes[] = {"free", "labels", NULL};
static const char *const samplings[] = {"independent", "grouped", NULL};
static const char *const keeps[] = {"last", "best", NULL};
#define REWARD(place, name) name,
static const char *const rewards[] = {CH_REWARDS(REWARD) NULL};
static const char *const sims[] = {"auto", "exact", "judge", NULL};

#define AT(member) offsetof(ch_recipe, member)
#define TEXT(s, k, m, def, help)                                                                   \
    {                                                                                              \
        s, k, CH_F_TEXT, AT(m), def, 0, 0, NULL, help                                              \
    }
#define INT(s, k, m, def, low, high, help)                                                         \
    {                                                                                              \
        s, k, CH_F_INT, AT(m), def, low, high, NULL, help                                          \
    }
#define REAL(s, k, m, def, low, high, help)                                                        \
    {                                                                                              \
        s, k, CH_F_REAL, AT(m), def, low, high, NULL, help                                         \
    }
#define CONSTANT(name, def, low, high, help)                                                       \
    REAL("train", #name, train.constants.name, def, low, high, help),
#define CHOICE(s, k, m, def, list, help)                                                           \
    {                                                                                              \
        s, k, CH_F_CHOICE, AT(m), def, 0, 0, list, help                                            \
    }
#define FLAG(s, k, m, def, help)                                                                   \
    {                                                                                              \
        s, k, CH_F_FLAG, AT(m), def, 0, 0, NULL, help                                              \
    }

/* [P] the paper, [I] our reading of it, [+] ours: see docs. clang-format off
 * keeps one key a line. */
/* clang-format off */
const ch_field ch_fields[] = {
    TEXT("", "model", model, "", "GGUF file of the model to measure and train"),
    TEXT("", "run", run, "runs/chorus", "directory that holds everything of this run"),
    INT("", "seed", seed, "1", 0, 1e15, "every random choice follows from it"),
    INT("", "threads", threads, "0", 0, 1024, "0: one a core"),
    CHOICE("", "precision", precision, "auto", precisions, "of products: auto, f32, bf16; auto asks the CPU"),
    CHOICE("", "isa", isa, "auto", isas, "instruction set: auto, portable, avx2, avx512"),
    CHOICE("", "save", save, "f32", saves, "weights of written models: f32, f16, bf16"),

    TEXT("data", "tasks", data.tasks, "", "task file, or a directory of them"),
    TEXT("data", "test_tasks", data.test_tasks, "", "with split.by files: the test tasks"),
    TEXT("data", "wordings", data.wordings, "", "side file with wordings; paraphrase: the model writes them; empty: the tasks' own"),
    INT("data", "max_items", data.max_items, "0", 0, 1e9, "first instances of a task that are used; 0: all"),
    INT("data", "max_len", data.max_len, "512", 8, 1e6, "tokens a training row may have [P]"),
    CHOICE("data", "overlong", data.overlong, "refuse", overlongs, "a longer row: refuse the run, or drop the row and count it"),

    INT("paraphrase", "n", paraphrase.n, "10", 1, 100, "wordings asked for a task [P]"),
    INT("paraphrase", "max_new", paraphrase.max_new, "1024", 16, 1e5, "tokens the list may have"),
    TEXT("paraphrase", "prompt", paraphrase.prompt, "", "file with {n} and {instruction}; empty: the one-shot numbered list [P]"),

    CHOICE("split", "by", split.by, "both", splits, "what is new in the test: both (inputs and wordings), input, wording, task [P], files; none: chorus train alone, everything is trained on"),
    INT("split", "train_inputs", split.train_inputs, "0", 0, 1e9, "a task; 0: 60 %"),
    INT("split", "dev_inputs", split.dev_inputs, "0", 0, 1e9, "a task, for the dev loss; 0: 10 %, with by none: none"),
    INT("split", "test_inputs", split.test_inputs, "0", 0, 1e9, "a task; 0: 30 %"),
    INT("split", "train_wordings", split.train_wordings, "0", 0, 1e6, "a task, beside the instruction; 0: half"),
    INT("split", "test_wordings", split.test_wordings, "0", 0, 1e6, "a task; 0: half"),
    INT("split", "test_tasks", split.test_tasks, "0", 0, 1e6, "with by task; 0: one in eight"),

    INT("generate", "max_new", generate.max_new, "64", 1, 1e5, "tokens an answer may have"),
    INT("generate", "batch", generate.batch, "64", 1, 4096, "answers written at once"),
    INT("generate", "max_rows", generate.max_rows, "16384", 64, 1e8, "rows of the key-value cache"),
    CHOICE("generate", "decode", generate.decode, "free", decodes, "measured answers: free, token by token; labels: the most probable label, where a task's answers are a closed set [+]"),

    INT("train", "steps", train.steps, "100", 1, 1e9, "updates [+]"),
    INT("train", "batch", train.batch, "8", 1, 65536, "rows (or groups of answers) an update [+]"),
    CHOICE("train", "sampling", train.sampling, "independent", samplings, "independent: an update's rows know nothing of each other; grouped: wordings are drawn first and several inputs for each, faster and another way to sample [+]"),
    INT("train", "inputs_per_instruction", train.inputs_per_instruction, "4", 1, 1e6, "grouped: inputs (or groups of answers) drawn for a wording at once [+]"),
    REAL("train", "lr", train.lr, "1e-4", 1e-30, 10, "highest learning rate of AdamW [P names AdamW and cosine; the value is +]"),
    REAL("train", "min_lr_ratio", train.min_lr_ratio, "0", 0, 1, "the cosine ends at lr times this"),
    REAL("train", "warmup_ratio", train.warmup_ratio, "0.1", 0, 1, "share of the updates with rising rate [+]"),
    REAL("train", "beta1", train.beta1, "0.9", 0, 0.999999, "AdamW"),
    REAL("train", "beta2", train.beta2, "0.999", 0, 0.9999999, "AdamW"),
    REAL("train", "eps", train.eps, "1e-8", 1e-30, 1, "AdamW"),
    REAL("train", "weight_decay", train.weight_decay, "0.01", 0, 10, "AdamW, not on norms [+]"),
    REAL("train", "clip", train.clip, "1", 0, 1e9, "gradient norm at most; 0: off [+]"),
    CH_CONSTANTS(CONSTANT)
    INT("train", "eval_every", train.eval_every, "20", 0, 1e9, "updates between dev losses; 0: only at the end"),
    INT("train", "dev_rows", dev_rows, "256", 0, 1e9, "rows of the dev loss at most, evenly taken; 0: all"),
    CHOICE("train", "keep", train.keep, "last", keeps, "which update's model an arm ends with: last; best: the one of least dev loss, a supervised loss whatever the objective [+]"),
    INT("train", "save_every", train.save_every, "20", 0, 1e9, "updates between checkpoints; 0: only at the end"),
    INT("train", "max_rows", train.max_rows, "768", 16, 1e8, "rows of a forward pass; a larger batch is cut, its update is the same"),

    INT("align", "samples", align.samples, "3", 0, 1000, "sampled answers beside the greedy one [I]"),
    REAL("align", "temperature", align.temperature, "1", 0, 100, "of the samples [I]"),
    REAL("align", "top_p", align.top_p, "1", 1e-6, 1, "of the samples; 1: off"),
    INT("align", "top_k", align.top_k, "0", 0, 1e6, "of the samples; 0: off"),
    INT("align", "max_new", align.max_new, "0", 0, 1e5, "tokens a candidate may have; 0: generate.max_new"),
    INT("align", "items", align.items, "0", 0, 1e9, "(task, input) pairs that get candidates; 0: all"),
    CHOICE("align", "reward", align.reward, "self", rewards, ""),
    FLAG("align", "pool", align.pool, "false", "a good answer under one wording is the target under all [+]"),
    FLAG("align", "gold_target", align.gold_target, "false", "the gold is one of the good answers [+]"),
    INT("align", "max_bad", align.max_bad, "0", 0, 1e6, "bad answers a group at most; 0: all [I]"),
    TEXT("align", "judge_prompt", judge_prompt, "", "file with the self-reward's questions; empty: the built-in ones"),

    CHOICE("measure", "sim", measure.sim, "auto", sims, "same answer: exact, judge; auto: exact for closed tasks, judge for free text"),
    TEXT("measure", "judge", measure.judge, "base", "who judges: base (the untrained model) or a GGUF"),
    INT("measure", "resamples", measure.resamples, "1000", 10, 1e6, "of the bootstrap"),
    {NULL, NULL, CH_F_TEXT, 0, NULL, 0, 0, NULL, NULL},
};
/* clang-format on */

const ch_arm_key ch_arm_keys[] = {
    [CH_ARM_NAME] = {"name", "letters, digits, _ and -; names its directory; must be there"},
    [CH_ARM_TITLE] = {"title", "for people, no two alike [default: the name]"},
    [CH_ARM_OBJECTIVE] = {"objective", "what it is trained for, such as sft or cat; a wrong name "
                                       "lists the known ones; must be there"},
    [CH_ARM_FROM] = {"from", "the arm before it whose model it starts from [default: base]"},
    [CH_ARM_AUGMENT] = {"augment", "true | false: train under every training wording, not only "
                                   "the instruction [default: false]"},
    [CH_ARM_MODEL] = {"model", "with objective none: a GGUF that is measured as it is"},
    [CH_ARM_KEYS] = {NULL, NULL},
};

const ch_field *ch_field_find(const char *dotted)
{
    const char *dot = strchr(dotted, '.');
    const char *key = dot ? dot + 1 : dotted;
    size_t n = dot ? (size_t)(dot - dotted) : 0;
    for (const ch_field *f = ch_fields; f->key; f++)
        if (strlen(f->section) == n && !strncmp(f->section, dotted, n) && !strcmp(f->key, key))
            return f;
    return NULL;
}

int ch_field_in_arm(const ch_field *f)
{
    return (f->at >= AT(train) && f->at < AT(train) + sizeof(ch_train_opts)) ||
           (f->at >= AT(align) && f->at < AT(align) + sizeof(ch_align_opts));
}

/* "self: two questions ...; ...": the table's own words. */
static char *rewards_help(void)
{
    ch_str b = {0};
    for (int i = 0; i < CH_N_REWARDS; i++)
        ch_str_addf(&b, "%s%s: %s%s", i ? "; " : "", rewards[i], ch_reward_table[i].what,
                    ch_reward_table[i].needs_gold ? "" : ", needs no gold");
    return ch_str_take(&b);
}

char *ch_field_help(const ch_field *f)
{
    if (f->choices == rewards)
        return rewards_help();
    char *readers = strcmp(f->section, "train") ? ch_dup("") : ch_objective_readers(f->key);
    char *text = ch_fmt("%s%s%s", readers, readers[0] ? ": " : "", f->help);
    free(readers);
    return text;
}

char *ch_field_text(const ch_recipe *r, const ch_field *f)
{
    const char *p = (const char *)r + f->at;
    switch (f->type) {
    case CH_F_TEXT:
        return ch_dup(*(char *const *)(const void *)p);
    case CH_F_INT:
        return ch_fmt("%lld", (long long)*(const int64_t *)(const void *)p);
    case CH_F_REAL:
        return ch_number_text(*(const double *)(const void *)p);
    case CH_F_CHOICE:
        return ch_dup(f->choices[*(const int *)(const void *)p]);
    case CH_F_FLAG:
        return ch_dup(*(const int *)(const void *)p ? "true" : "false");
    }
    return ch_dup("");
}

static ch_code set_number(char *p, const ch_field *f, const char *name, const char *text,
                          const char *where, ch_err *e)
{
    int whole = f->type == CH_F_INT;
    int64_t n = 0;
    double v = 0;
    if (whole ? !ch_number_int(text, &n) : !ch_number_read(text, &v))
        return ch_fail(e, CH_EUSER, "%s: %s is \"%.64s\", %s is wanted", where, name, text,
                       whole ? ch_number_whole : ch_number_real);
    v = whole ? (double)n : v;
    if (v < f->low || v > f->high)
        return ch_fail(e, CH_EUSER, "%s: %s is %s, from %.12g to %.12g is possible", where, name,
                       text, f->low, f->high);
    if (whole)
        *(int64_t *)(void *)p = n;
    else
        *(double *)(void *)p = v;
    return CH_OK;
}

/* Texts are names of files, which the system bounds, and stand in recipe.yaml and messages. */
static ch_code set_text(char **p, const char *name, const char *text, const char *where, ch_err *e)
{
    enum { MOST = 4095 };
    char *at = ch_fmt("%s: %s", where, name);
    ch_code c = ch_name_check(text, at, e);
    if (c == CH_OK && strlen(text) > MOST)
        c = ch_fail(e, CH_EUSER, "%s has %zu bytes, at most %d are possible", at, strlen(text),
                    MOST);
    free(at);
    CH_TRY(c);
    free(*p);
    *p = ch_dup(text);
    return CH_OK;
}

ch_code ch_field_set(void *base, const ch_field *f, const char *text, const char *where, ch_err *e)
{
    static const char *const yes_no[] = {"false", "true", NULL};
    char *p = (char *)base + f->at;
    char name[96];
    snprintf(name, sizeof name, "%s%s%s", f->section, f->section[0] ? "." : "", f->key);
    if (f->type == CH_F_INT || f->type == CH_F_REAL)
        return set_number(p, f, name, text, where, e);
    if (f->type == CH_F_TEXT)
        return set_text((char **)(void *)p, name, text, where, e);
    const char *const *list = f->type == CH_F_FLAG ? yes_no : f->choices;
    for (int i = 0; list[i]; i++)
        if (!strcmp(list[i], text)) {
            *(int *)(void *)p = i;
            return CH_OK;
        }
    ch_str all = {0};
    for (int i = 0; list[i]; i++)
        ch_str_addf(&all, "%s%s", i ? ", " : "", list[i]);
    const char *near = ch_nearest(text, list);
    ch_fail(e, CH_EUSER, "%s: %s is \"%.64s\", one of %s is wanted%s%s%s", where, name, text,
            ch_str_get(&all), near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    ch_str_free(&all);
    return CH_EUSER;
}
