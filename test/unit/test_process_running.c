/*
 * test_process_running.c - processes that ran before there was a feed, and room for those that matter
 */
#include "process_world.h"

#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct process_limits here = {.processes = 100, .tasks = 200, .mappings = 1000, .live = true};
static const struct process_limits host = {
    .processes = 16, .tasks = 64, .mappings = 1000, .live = true, .lazy = true};

/* ---- adopted ---- */

struct other {
    pthread_barrier_t there, done;
    uint32_t tid;
};

static void *other_thread(void *arg)
{
    struct other *o = arg;

    prctl(PR_SET_NAME, "the other");
    o->tid = (uint32_t)syscall(SYS_gettid);
    pthread_barrier_wait(&o->there);
    pthread_barrier_wait(&o->done);
    return NULL;
}

TEST(process__who_is_adopted_is_known_with_threads_and_mappings)
{
    uint32_t self = (uint32_t)getpid();
    struct process *p;
    struct other other;
    pthread_t thread;

    pthread_barrier_init(&other.there, NULL, 2);
    pthread_barrier_init(&other.done, NULL, 2);
    assert_int_equal(pthread_create(&thread, NULL, other_thread, &other), 0);
    pthread_barrier_wait(&other.there);
    begin(here);
    p = processes_adopt(table, self);
    assert_non_null(p);
    assert_ptr_equal(p, process_find(table, self));
    assert_string_equal(process_find_task(table, self, other.tid)->name, "the other");
    assert_non_null(process_find_mapping(process_find(table, self), (uintptr_t)processes_adopt));
    end();
    pthread_barrier_wait(&other.done);
    pthread_join(thread, NULL);
    pthread_barrier_destroy(&other.there);
    pthread_barrier_destroy(&other.done);
}

TEST(process__who_has_ended_is_not_adopted)
{
    begin(here);
    assert_null(processes_adopt(table, 4194303)); /* the largest id there can be: nobody's here */
    end();
}

/* ---- whole hosts ---- */

TEST(process__of_a_host_only_those_are_learned_of_that_start_or_are_sampled)
{
    begin(host);
    assert_false(map(4194302, 0x1000, 0x2000, 0, "/a"));
    assert_false(comm(4194302, 4194302, "renamed", false));
    fork_record(4194302, 4194303, 4194302, 4194302);
    exit_record(4194302, 4194302);
    assert_int_equal(processes_count(table), 0);
    assert_true(comm(4194302, 4194302, "started", true));
    assert_int_equal(processes_count(table), 1);
    process_get_task(table, (uint32_t)getpid(), (uint32_t)getpid());
    assert_int_equal(processes_count(table), 2);
    end();
}

TEST(process__of_a_host_those_without_an_id_have_a_name_and_stay)
{
    begin(host);
    assert_string_equal(process_get_task(table, 0, 0)->name, "[idle or hidden]");
    assert_string_equal(process_get_task(table, UINT32_MAX, UINT32_MAX)->process->name, "[ended]");
    comm(0, 0, "somebody", true); /* of all those who are hidden */
    map(0, 0x1000, 0x2000, 0, "/somebody");
    fork_record(0, 0, 0, 0);
    exit_record(0, 0);
    assert_string_equal(process_get_task(table, 0, 0)->name, "[idle or hidden]");
    assert_mappings(0, "");
    assert_null(processes_next_ended(table, UINT64_MAX));
    end();
}

/* Thread 2 is the kernel's in the first pid namespace, and hidden in others: then there is nothing to see. */
TEST(process__of_a_host_kernel_threads_are_not_taken_for_ended)
{
    struct process *p;

    begin(host);
    p = process_get(table, 2);
    assert_true(p->exited || strcmp(p->name, "kthreadd") == 0 || getpid() != 2);
    if (strcmp(p->name, "kthreadd") == 0)
        assert_false(p->exited);
    end();
}

static void retire(void)
{
    assert_true(processes_retire(table) > 0);
    for (struct task *task; (task = processes_next_ended(table, UINT64_MAX)) != NULL;)
        processes_forget(table, task);
}

TEST(process__those_used_longest_ago_make_room)
{
    begin(host);
    for (uint32_t pid = 1000000; pid < 1001000; pid++) {
        if (processes_are_many(table))
            retire();
        comm(pid, pid, "short", true);
        map(pid, 0x1000, 0x2000, 0, "/bin/short");
        assert_false(process_get(table, pid)->overflow);
        process_find(table, pid)->used_ns = now;
        if (process_find(table, 1000000))
            process_find(table, 1000000)->used_ns = now; /* is sampled all the time */
    }
    assert_non_null(process_find(table, 1000000));
    assert_non_null(process_find(table, 1000999));
    assert_null(process_find(table, 1000500));
    assert_true(processes_count(table) <= host.processes);
    assert_int_equal(mappings_of("/bin/short"), processes_count(table));
    end();
}
