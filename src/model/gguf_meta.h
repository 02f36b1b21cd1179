/* What the keys of a GGUF say. */
#ifndef CH_MODEL_GGUF_META_H
#define CH_MODEL_GGUF_META_H

#include "model/model.h"

#include "gguf.h"

/* Opens path as GGUF, metadata only, and checks that every tensor lies inside the file. Free with
 * gguf_free. */
ch_code ch_meta_open(struct gguf_context **g, const char *path, ch_err *e) CH_CHECK_RESULT;
/* Sizes of a Llama, all checked to be positive, to fit each other and to be small enough to
 * multiply. V comes from the embedding; tied is set when there is no output.weight. */
ch_code ch_meta_dims(ch_dims *d, const struct gguf_context *g, const char *path,
                     ch_err *e) CH_CHECK_RESULT;
/* A string key, NULL when absent or not a string. */
const char *ch_meta_str(const struct gguf_context *g, const char *key);

#endif
