/*
 * rights.h - what the command must not have: capabilities and the user Ringside was started with
 */
#ifndef RINGSIDE_SUPERVISOR_RIGHTS_H
#define RINGSIDE_SUPERVISOR_RIGHTS_H

#include <stdbool.h>

#include "ringside/privilege.h"

struct err;
struct options;

struct rights {
    bool drop;     /* --drop-caps, of every process of this run */
    bool switches; /* --switch-user, of the command's alone */
    struct privilege_user user;
};

/*
 * Before anything is started. parent: Ringside stays the command's parent. -1 with *e: what was asked for
 * cannot be done here, and the command must not run with more than it should have.
 */
int rights_make(const struct options *o, bool parent, struct rights *out, struct err *e);
void rights_release(struct rights *r);

/* In the process that is the command with the next exec, when all that takes privilege is done. -1 with *e:
 * no exec. */
int rights_give_up(const struct rights *r, struct err *e);

/* In those that stay Ringside's. */
int rights_drop(const struct rights *r, struct err *e);

/*
 * The parent shape: the child waits until its parent has done what is to be done before the command starts.
 * Made before the fork; each side then calls its own. -1 with *e: there is none, and something is to be
 * dropped.
 */
struct gate {
    int fds[2];  /* -1: open all the time */
    bool strict; /* something is to be dropped: who cannot wait does not go on */
};
int gate_open(struct gate *g, const struct rights *r, struct err *e);
bool gate_wait(struct gate *g);            /* in the child; false: do not run the command */
void gate_answer(struct gate *g, bool go); /* in the parent */

#endif
