/* Strict YAML: what libyaml reads is held against the schema first, so that every refusal is a
 * sentence with its line; then libcyaml fills the structure. */
#ifndef CH_DATA_YAML_H
#define CH_DATA_YAML_H

#include <cyaml/cyaml.h>

#include "base/err.h"

/* Loads path by schema (a pointer to a mapping at the top; below it mappings, sequences and texts).
 * aliases: whether anchors may be used. Errors (CH_EUSER) name file and line: not UTF-8, not YAML,
 * a NUL written as an escape, a tag, null where a text is wanted, an unknown key (with the nearest
 * known one) or one that is given twice, another kind of value than the schema's, nesting deeper
 * than any schema's, a second document, nothing at all. *out is for ch_yaml_free with the same
 * schema. */
ch_code ch_yaml_load(const char *path, const cyaml_schema_value_t *schema, int aliases, void **out,
                     ch_err *e) CH_CHECK_RESULT;
/* For cyaml_config_t: what libcyaml gets its memory from; it leaves as ch_new does. */
void *ch_yaml_mem(void *ctx, void *p, size_t n);
void ch_yaml_free(const cyaml_schema_value_t *schema, void *data);

#endif
