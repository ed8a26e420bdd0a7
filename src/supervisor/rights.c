/*
 * rights.c - see rights.h
 */
#include "rights.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "ringside/base.h"
#include "ringside/options.h"
#include "ringside/supervisor.h"

static int make_drop(struct rights *r, struct err *e)
{
    int held = privilege_can_drop(e);

    if (held < 0)
        return err_wrap(e, "option --drop-caps");
    if (held == 0)
        log_warn(supervisor, "option --drop-caps: neither CAP_SYS_ADMIN nor CAP_PERFMON is there to drop");
    r->drop = true;
    return 0;
}

static int make_switch(const struct options *o, bool parent, struct rights *r, struct err *e)
{
    if (privilege_find_user(o->switch_user, &r->user, e) < 0 || privilege_can_switch(parent, e) < 0) {
        char from[300];

        return err_wrap(e, "%s", options_origin(o, "switch-user", 0, from, sizeof(from)));
    }
    r->switches = true;
    return 0;
}

int rights_make(const struct options *o, bool parent, struct rights *out, struct err *e)
{
    *out = (struct rights){0};
    if ((!o->drop_caps || make_drop(out, e) == 0) && (!o->switch_user || make_switch(o, parent, out, e) == 0))
        return 0;
    rights_release(out);
    return -1;
}

int supervisor_check_rights(const struct options *o, struct err *e)
{
    struct rights r;
    int result = rights_make(o, o->wait, &r, e);

    rights_release(&r);
    return result;
}

void rights_release(struct rights *r)
{
    privilege_user_release(&r->user);
}

int rights_drop(const struct rights *r, struct err *e)
{
    if (r->drop && privilege_drop(e) < 0)
        return err_wrap(e, "option --drop-caps");
    return 0;
}

/* In this order: another user has not what it takes to change the bounding set. */
int rights_give_up(const struct rights *r, struct err *e)
{
    if (rights_drop(r, e) < 0)
        return -1;
    if (r->switches && privilege_switch(&r->user, e) < 0)
        return err_wrap(e, "option --switch-user");
    return 0;
}

/* ---- the parent shape ---- */

int gate_open(struct gate *g, const struct rights *r, struct err *e)
{
    *g = (struct gate){{-1, -1}, r->drop};
    return pipe2(g->fds, O_CLOEXEC) < 0 && g->strict ? err_set(e, errno, "pipe") : 0;
}

bool gate_wait(struct gate *g)
{
    char go;
    ssize_t n;

    if (g->fds[0] < 0)
        return true;
    close(g->fds[1]);
    do {
        n = read(g->fds[0], &go, 1);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && g->strict) /* else the parent says it */
        log_error(supervisor, "cannot run the command: option --drop-caps: wait for the parent: %s",
                  strerror(errno));
    close(g->fds[0]);
    return n == 1 || !g->strict;
}

/* This side's reading end goes last: without any, writing would be SIGPIPE. */
void gate_answer(struct gate *g, bool go)
{
    if (g->fds[0] < 0)
        return;
    if (go && write(g->fds[1], "", 1) != 1 && g->strict)
        log_error(supervisor, "cannot run the command: it cannot be told to start");
    close(g->fds[1]);
    close(g->fds[0]);
}
