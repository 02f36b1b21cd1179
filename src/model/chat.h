/* Inside the model room: what a chat template puts round an answer. */
#ifndef CH_MODEL_CHAT_H
#define CH_MODEL_CHAT_H

#include "model/model.h"

/* Learns before_answer, after_answer and end_of_turn from the template. */
ch_code ch_chat_learn(ch_model *m, ch_err *e) CH_CHECK_RESULT;

#endif
