/* JSON files that say of themselves whether they were changed: "seal" is the SHA-256 of all else. */
#ifndef CH_RUN_SEALED_H
#define CH_RUN_SEALED_H

#include "base/json.h"

/* Seals and writes v, whose reference is taken over. */
ch_code ch_sealed_save(json_t *v, const char *path, ch_err *e) CH_CHECK_RESULT;
/* 1 when v carries a seal and it is right. A v without one is of a time before seals. */
int ch_sealed(const json_t *v);

#endif
