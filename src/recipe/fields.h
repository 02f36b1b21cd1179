/* The table of a recipe's keys: type, default, bounds and meaning of each. Reading, writing, --set,
 * stage keys and the help all walk it; a new key is one row of it. */
#ifndef CH_RECIPE_FIELDS_H
#define CH_RECIPE_FIELDS_H

#include "recipe/recipe.h"

typedef enum { CH_F_TEXT, CH_F_INT, CH_F_REAL, CH_F_CHOICE, CH_F_FLAG } ch_field_type;

/* One key. Its value stands at byte `at` of a ch_recipe. */
typedef struct {
    const char *section, *key; /* section "": the top level */
    ch_field_type type;
    size_t at;
    const char *def; /* as it would be written */
    double low, high;
    const char *const *choices; /* CHOICE: words, NULL-terminated; the value is the index */
    const char *help;
} ch_field;

extern const ch_field ch_fields[]; /* ends with a row without a key */
/* The keys of an arm beside its own values of fields. */
typedef struct {
    const char *key, *help;
} ch_arm_key;
enum {
    CH_ARM_NAME,
    CH_ARM_TITLE,
    CH_ARM_OBJECTIVE,
    CH_ARM_FROM,
    CH_ARM_AUGMENT,
    CH_ARM_MODEL,
    CH_ARM_KEYS
};
extern const ch_arm_key ch_arm_keys[]; /* ends with a row without a key */

/* "train.lr" or a top-level "seed"; NULL when there is none. */
const ch_field *ch_field_find(const char *dotted);
/* Text of a field's present value; new string. */
char *ch_field_text(const ch_recipe *r, const ch_field *f);
/* What it means, and for a constant of losses which objectives read it; new string. */
char *ch_field_help(const ch_field *f);
/* 1 when an arm may have its own value of this field (train.* and align.*). */
int ch_field_in_arm(const ch_field *f);
/* The value of one field written out of text: shared by the recipe, its arms and the command line.
 * base is the struct that f->at counts from. */
ch_code ch_field_set(void *base, const ch_field *f, const char *text, const char *where,
                     ch_err *e) CH_CHECK_RESULT;

#endif
