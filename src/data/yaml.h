/* Strict YAML: libcyaml with its complaints turned into one sentence. */
#ifndef CH_DATA_YAML_H
#define CH_DATA_YAML_H

#include <cyaml/cyaml.h>

#include "base/err.h"

/* Loads path by schema (a pointer to a mapping at the top). Anchors are refused. Errors (CH_EUSER)
 * name the file, libcyaml's complaint and its line; for an unknown key also the nearest known one.
 * *out is for ch_yaml_free with the same schema. */
ch_code ch_yaml_load(const char *path, const cyaml_schema_value_t *schema, void **out,
                     ch_err *e) CH_CHECK_RESULT;
/* For cyaml_config_t: what libcyaml gets its memory from; it leaves as ch_new does. */
void *ch_yaml_mem(void *ctx, void *p, size_t n);
void ch_yaml_free(const cyaml_schema_value_t *schema, void *data);

#endif
