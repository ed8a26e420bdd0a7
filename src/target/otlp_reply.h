/*
 * otlp_reply.h - what an OTLP receiver's answer means
 */
#ifndef RINGSIDE_TARGET_OTLP_REPLY_H
#define RINGSIDE_TARGET_OTLP_REPLY_H

#include "ringside/target.h"

/* struct backend's judge. */
enum target_verdict otlp_judge(const struct target *t, const struct http_reply *reply,
                               char words[TARGET_WORDS_MAX]);

#endif
