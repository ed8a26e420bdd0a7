/*
 * trail.h - taking over the outer frames of a thread's last walk
 *
 * A plain frame's caller follows from its own pc, sp and fp and from two words of the stack: the return
 * address and, where it was saved, the frame pointer. So when a walk comes to a frame of the last walk, with
 * the same three registers, and the two words are what they were, its caller is what it was. That costs two
 * loads a frame, from lines that were asked for when the walk began, instead of a look-up and a row.
 */
#ifndef RINGSIDE_UNWIND_TRAIL_H
#define RINGSIDE_UNWIND_TRAIL_H

#include "walk.h"

/*
 * Has the lines of the stack copy in which the last walk found its words on their way into the cache: a walk
 * is a chain in which each frame waits for memory in turn. Returns how many frames may be met.
 */
uint32_t trail_fetch(const struct unwind_trail *t, const struct stack_copy *s);

/*
 * After a step: when w->pc, sp and fp are those of a frame of the trail, goes on to the outermost frame that
 * is proven to be as it was. Whatever lies in between is put into w->frames.
 */
void trail_follow(struct walk *w);

/* Makes the walk the trail, when it is complete or left the trail where the copy ended. */
void trail_note(struct walk *w, enum unwind_stop stop);

#endif
