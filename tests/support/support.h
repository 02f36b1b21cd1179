/* What nearly every test wants. */
#ifndef CH_TESTS_SUPPORT_H
#define CH_TESTS_SUPPORT_H

#include "support/close.h"
#include "support/files.h"
#include "support/isa.h"
#include "support/tiny.h"

#endif
