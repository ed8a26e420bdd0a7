/*
 * test_process.c - processes and threads over time: names, exec, ends, lost records, the caps
 */
#include "process_world.h"

#include <unistd.h>

TEST(process__exec_names_the_process_and_starts_with_no_mappings)
{
    begin(roomy);
    assert_true(comm(10, 10, "first", true));
    assert_true(map(10, 0x1000, 0x2000, 0, "/a"));
    assert_true(comm(10, 10, "second", true));
    assert_string_equal(process_find(table, 10)->name, "second");
    assert_string_equal(process_find_task(table, 10, 10)->name, "second");
    assert_mappings(10, "");
    assert_int_equal(mappings_of("/a"), 0);
    assert_int_equal(processes_count(table), 1);
    end();
}

TEST(process__exec_is_bare_until_something_is_mapped)
{
    begin(roomy);
    comm(10, 10, "first", true);
    assert_true(process_find(table, 10)->bare_since_ns != 0);
    map(10, 0x1000, 0x2000, 0, "/a");
    assert_int_equal(process_find(table, 10)->bare_since_ns, 0);
    comm(10, 10, "renamed", false);
    fork_record(20, 20, 10, 10);
    assert_int_equal(process_find(table, 10)->bare_since_ns, 0);
    assert_int_equal(process_find(table, 20)->bare_since_ns, 0);
    comm(10, 10, "second", true);
    assert_true(process_find(table, 10)->bare_since_ns != 0);
    end();
}

TEST(process__threads_have_names_of_their_own)
{
    begin(roomy);
    comm(10, 10, "server", true);
    assert_false(fork_record(10, 12, 10, 10));
    assert_string_equal(process_find_task(table, 10, 12)->name, "server");
    comm(10, 12, "worker", false);
    fork_record(10, 13, 10, 12);
    assert_string_equal(process_find_task(table, 10, 13)->name, "worker");
    assert_string_equal(process_find(table, 10)->name, "server");
    fork_record(20, 20, 10, 12); /* fork copies the calling thread */
    assert_string_equal(process_find(table, 20)->name, "worker");
    comm(10, 10, "renamed", false);
    assert_string_equal(process_find(table, 10)->name, "renamed");
    assert_int_equal(process_find(table, 10)->task_count, 3);
    end();
}

TEST(process__a_process_ends_with_its_last_thread_and_stays_until_forgotten)
{
    struct process *p;
    struct task *task;

    begin(roomy);
    comm(10, 10, "x", true);
    fork_record(10, 11, 10, 10);
    exit_record(10, 10);
    p = process_find(table, 10);
    assert_false(p->exited);
    exit_record(10, 11);
    assert_true(p->exited);
    assert_int_equal(p->exit_time_ns, now - 1);
    assert_null(processes_next_ended(table, now - 2));
    task = processes_next_ended(table, now);
    assert_int_equal(task->tid, 10);
    assert_ptr_equal(process_find_task(table, 10, 10), task); /* handed out, not forgotten */
    processes_forget(table, task);
    assert_null(process_find_task(table, 10, 10));
    assert_ptr_equal(process_find(table, 10), p);
    task = processes_next_ended(table, now);
    assert_int_equal(task->tid, 11);
    task->splice = malloc(10); /* freed with it */
    processes_forget(table, task);
    assert_null(process_find(table, 10));
    assert_int_equal(processes_count(table), 0);
    assert_null(processes_next_ended(table, UINT64_MAX));
    end();
}

TEST(process__exact_times_find_the_task_that_just_ended)
{
    struct task *task;

    begin(roomy);
    comm(10, 10, "x", true);
    task = process_find_task(table, 10, 10);
    exit_record(10, 10);
    assert_ptr_equal(process_get_task(table, 10, 10), task);
    assert_ptr_equal(process_find(table, 10)->tasks, task);
    end();
}

TEST(process__a_reused_pid_is_a_new_process_while_the_old_one_waits)
{
    struct process *old, *fresh;

    begin(roomy);
    comm(1, 1, "init", true);
    fork_record(10, 10, 1, 1);
    old = process_find(table, 10);
    old->account = old;
    exit_record(10, 10);
    fork_record(10, 10, 1, 1);
    fresh = process_find(table, 10);
    assert_ptr_not_equal(fresh, old);
    assert_false(fresh->exited);
    assert_null(fresh->account);
    assert_ptr_equal(process_find_task(table, 10, 10)->process, fresh);
    assert_ptr_equal(processes_next_ended(table, now)->process, old);
    processes_forget(table, old->tasks);
    assert_ptr_equal(process_find(table, 10), fresh);
    assert_ptr_equal(process_find_task(table, 10, 10)->process, fresh);
    assert_int_equal(processes_count(table), 2);
    end();
}

TEST(process__a_reused_tid_is_a_new_task_while_the_old_one_waits)
{
    struct task *old, *fresh;

    begin(roomy);
    comm(10, 10, "x", true);
    fork_record(10, 11, 10, 10);
    old = process_find_task(table, 10, 11);
    exit_record(10, 11);
    fork_record(10, 11, 10, 10);
    fresh = process_find_task(table, 10, 11);
    assert_ptr_not_equal(fresh, old);
    assert_false(fresh->exited);
    assert_true(old->exited);
    assert_ptr_equal(processes_next_ended(table, now), old);
    processes_forget(table, old);
    assert_ptr_equal(process_find_task(table, 10, 11), fresh);
    end();
}

TEST(process__a_fork_into_a_living_pid_ends_the_one_whose_exit_was_lost)
{
    struct process *old;

    begin(roomy);
    comm(1, 1, "init", true);
    fork_record(10, 10, 1, 1);
    old = process_find(table, 10);
    fork_record(10, 10, 1, 1);
    assert_true(old->exited);
    assert_ptr_not_equal(process_find(table, 10), old);
    assert_ptr_equal(processes_next_ended(table, now)->process, old);
    end();
}

TEST(process__a_thread_that_execs_becomes_the_first_one)
{
    struct task *caller;

    begin(roomy);
    comm(10, 10, "x", true);
    fork_record(10, 11, 10, 10);
    fork_record(10, 12, 10, 10);
    caller = process_find_task(table, 10, 12);
    exit_record(10, 10);
    exit_record(10, 11);
    comm(10, 10, "after", true);
    assert_ptr_equal(process_find_task(table, 10, 10), caller);
    assert_null(process_find_task(table, 10, 12));
    assert_string_equal(caller->name, "after");
    assert_false(process_find(table, 10)->exited);
    processes_forget(table, processes_next_ended(table, now));
    processes_forget(table, processes_next_ended(table, now));
    assert_ptr_equal(process_find_task(table, 10, 10), caller);
    exit_record(10, 10);
    assert_true(process_find(table, 10)->exited);
    end();
}

TEST(process__exec_ends_threads_whose_exit_was_lost)
{
    begin(roomy);
    comm(10, 10, "x", true);
    fork_record(10, 11, 10, 10);
    comm(10, 10, "after", true);
    assert_true(process_find_task(table, 10, 11)->exited);
    exit_record(10, 10);
    assert_true(process_find(table, 10)->exited);
    end();
}

TEST(process__ended_tasks_come_out_in_the_order_of_their_end)
{
    struct feed_record late = {.kind = FEED_EXIT, .pid = 12, .tid = 12, .time_ns = 500};
    uint64_t before = 0;

    begin(roomy);
    for (uint32_t pid = 10; pid < 14; pid++)
        comm(pid, pid, "x", true);
    exit_record(11, 11);
    exit_record(10, 10);
    process_apply(table, &late);
    exit_record(13, 13);
    for (int i = 0; i < 4; i++) {
        struct task *task = processes_next_ended(table, UINT64_MAX);

        assert_true(task->exit_time_ns > before);
        before = task->exit_time_ns;
        assert_int_equal(i == 0, task->tid == 12);
        processes_forget(table, task);
    }
    assert_int_equal(processes_count(table), 0);
    end();
}

TEST(process__unknown_pids_of_a_replay_are_made_up_without_looking_at_this_machine)
{
    struct process *p;

    begin(roomy);
    p = process_get(table, (uint32_t)getpid());
    assert_false(p->exited);
    assert_int_equal(p->space->count, 0);
    assert_string_equal(p->name, "[unknown]");
    assert_ptr_equal(process_get_task(table, (uint32_t)getpid(), 5)->process, p);
    assert_int_equal(p->task_count, 2);
    end();
}

TEST(process__a_fork_record_that_comes_late_completes_what_was_made_up)
{
    struct process *p;

    begin(roomy);
    comm(1, 1, "init", true);
    map(1, 0x1000, 0x2000, 0, "/a");
    p = process_get(table, 10);
    fork_record(10, 10, 1, 1);
    assert_ptr_equal(process_find(table, 10), p);
    assert_int_equal(p->parent_pid, 1);
    assert_mappings(10, "1000-2000+0/a");
    end();
}

static struct process_limits live_limits(void)
{
    struct process_limits limits = roomy;

    limits.live = true;
    return limits;
}

TEST(process__a_process_whose_fork_was_lost_is_filled_in_from_proc)
{
    struct process *p;
    struct mapping *m;

    begin(live_limits());
    p = process_get(table, (uint32_t)getpid());
    assert_false(p->exited);
    m = process_find_mapping(p, (uintptr_t)&live_limits);
    assert_non_null(m);
    assert_non_null(strstr(m->image->path, "test_process"));
    assert_string_equal(p->name, "test_process");
    end();
}

TEST(process__what_is_gone_from_proc_does_not_stay_for_ever)
{
    struct task *task;

    begin(live_limits());
    exit_record(999999999, 999999999);
    processes_forget(table, processes_next_ended(table, UINT64_MAX));
    task = process_get_task(table, 999999999, 999999999); /* its exact time, too late */
    assert_true(task->exited);
    assert_ptr_equal(processes_next_ended(table, UINT64_MAX), task);
    processes_forget(table, task);
    assert_int_equal(processes_count(table), 0);

    comm((uint32_t)getpid(), (uint32_t)getpid(), "x", true);
    assert_true(process_get_task(table, (uint32_t)getpid(), 999999999)->exited);
    end();
}

TEST(process__beyond_the_cap_one_process_stands_for_all)
{
    struct process *p;
    uint32_t at = 0, seen = 0;

    begin((struct process_limits){.processes = 2, .tasks = 100, .mappings = 10});
    comm(1, 1, "init", true);
    fork_record(10, 10, 1, 1);
    while (processes_next(table, &at))
        seen++;
    assert_int_equal(seen, 2);
    assert_false(fork_record(11, 11, 1, 1));
    assert_false(fork_record(12, 12, 11, 11));
    assert_int_equal(stats_get(stats, STATS_PROCESSES_DROPPED), 2);
    p = process_get(table, 11);
    assert_true(p->overflow);
    assert_string_equal(p->name, "[too many processes]");
    assert_ptr_equal(process_get(table, 12), p);
    assert_ptr_equal(process_get_task(table, 11, 13)->process, p);
    assert_false(map(11, 0x1000, 0x2000, 0, "/a"));
    assert_false(comm(11, 11, "name", false));
    assert_false(comm(11, 11, "name", true));
    exit_record(11, 11);
    assert_string_equal(p->name, "[too many processes]");
    assert_null(process_find_mapping(p, 0x1000));
    for (at = seen = 0; processes_next(table, &at);)
        seen++;
    assert_int_equal(seen, 3);
    /* room again */
    exit_record(10, 10);
    processes_forget(table, processes_next_ended(table, UINT64_MAX));
    assert_true(fork_record(14, 14, 1, 1));
    assert_false(process_get(table, 14)->overflow);
    end();
}

/* Their exact time would come on top of the samples that the overflow process has of them. */
TEST(process__who_was_beyond_the_cap_stays_there_when_there_is_room)
{
    begin((struct process_limits){.processes = 2, .tasks = 3, .mappings = 10});
    comm(1, 1, "init", true);
    fork_record(10, 10, 1, 1);
    for (uint32_t pid = 11; pid < 14; pid++)
        fork_record(pid, pid, 1, 1);
    assert_true(process_get_task(table, 11, 11)->process->overflow);
    exit_record(10, 10);
    processes_forget(table, processes_next_ended(table, UINT64_MAX));
    assert_true(process_get(table, 11)->overflow);
    assert_false(comm(12, 12, "name", true));
    exit_record(11, 11);
    assert_null(process_find_task(table, 11, 11));
    assert_null(processes_next_ended(table, UINT64_MAX));
    assert_int_equal(processes_count(table), 1);
    assert_true(fork_record(11, 11, 1, 1)); /* the id is another's now */
    assert_false(process_get(table, 11)->overflow);

    fork_record(11, 20, 11, 11);
    fork_record(11, 21, 11, 11);
    assert_true(process_get_task(table, 11, 21)->process->overflow);
    exit_record(11, 20);
    processes_forget(table, processes_next_ended(table, UINT64_MAX));
    exit_record(11, 21);
    assert_null(process_find_task(table, 11, 21));
    end();
}

TEST(process__beyond_the_cap_of_tasks_threads_count_for_the_overflow_process)
{
    begin((struct process_limits){.processes = 10, .tasks = 2, .mappings = 10});
    comm(1, 1, "init", true);
    fork_record(1, 2, 1, 1);
    fork_record(1, 3, 1, 1);
    assert_true(process_get_task(table, 1, 3)->process->overflow);
    assert_false(fork_record(10, 10, 1, 1));
    exit_record(1, 3);
    assert_false(process_find(table, 1)->exited);
    end();
}

TEST(process__names_longer_than_the_kernels_are_cut)
{
    begin(roomy);
    comm(1, 1, "a name much longer than anything a kernel would send", true);
    assert_int_equal(strlen(process_find(table, 1)->name), TASK_NAME_BYTES - 1);
    end();
}

TEST(process__ten_thousand_children_leave_nothing_behind)
{
    begin(roomy);
    comm(1, 1, "init", true);
    map(1, 0x1000, 0x2000, 0, "/init");
    for (uint32_t i = 0; i < 10000; i++) {
        uint32_t pid = 2 + i % 500;

        fork_record(pid, pid, 1, 1);
        comm(pid, pid, "child", true);
        map(pid, 0x1000, 0x2000, 0, "/bin/child");
        map(pid, 0x5000, 0x8000, 0, "/lib");
        exit_record(pid, pid);
        if (i % 100 == 99)
            for (struct task *task; (task = processes_next_ended(table, now)) != NULL;)
                processes_forget(table, task);
    }
    assert_int_equal(processes_count(table), 1);
    assert_int_equal(mappings_of("/bin/child"), 0);
    assert_int_equal(stats_get(stats, STATS_PROCESSES_DROPPED), 0);
    assert_int_equal(stats_get(stats, STATS_PROCESSES_SEEN), 10001);
    end();
}
