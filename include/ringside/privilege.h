/*
 * privilege.h - giving up: CAP_SYS_ADMIN and CAP_PERFMON, and the user one is
 *
 * What is given up is read back: a call returns 0 only when the kernel confirms that it is gone for good.
 * After -1 nobody knows how far it came, so the caller must not go on as if nothing were. Everything here is
 * about the calling thread; threads and processes it makes later inherit what is left.
 */
#ifndef RINGSIDE_PRIVILEGE_H
#define RINGSIDE_PRIVILEGE_H

#include <stdbool.h>
#include <sys/types.h>

struct err;

/* ---- capabilities ---- */

/*
 * Changes nothing. 1: one of the two is held, or would be after the next exec (root gets what its bounding
 * set has: capabilities(7), "Capabilities and execution of programs by root"). 0: neither. -1 with *e: held,
 * and could not be given up altogether, since that takes CAP_SETPCAP.
 */
int privilege_can_drop(struct err *e);

/*
 * Takes both out of the effective, permitted, inheritable, bounding and ambient set. One that is not held is
 * fine; then they stay in the bounding set where there is no CAP_SETPCAP to change it, as with every ordinary
 * user.
 */
int privilege_drop(struct err *e);

/* ---- users ---- */

#define PRIVILEGE_GROUPS_MAX 65536 /* NGROUPS_MAX */

/* Empty when all bytes are 0. */
struct privilege_user {
    uid_t uid;
    gid_t gid;
    gid_t *groups; /* all supplementary ones, sorted; owned */
    int group_count;
};

/*
 * Looks up "USER" or "USER:GROUP", names or numbers. Without a group the user has the groups it has when it
 * logs in; with one, that alone. -1 with *e: which of them is not known.
 */
int privilege_find_user(const char *text, struct privilege_user *out, struct err *e);
/* Safe on an empty one, and twice. */
void privilege_user_release(struct privilege_user *u);

/* Changes nothing. signals: the caller stays itself and will send signals to a process that switched. -1 with
 * *e: the capability it lacks. */
int privilege_can_switch(bool signals, struct err *e);

/* Real, effective and saved ids and all groups become those of *u, with no way back. */
int privilege_switch(const struct privilege_user *u, struct err *e);

#endif
