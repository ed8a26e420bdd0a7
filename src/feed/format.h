/*
 * format.h - the bytes of a recorded feed
 *
 * File: struct file_header, then records. Record: struct record_head, the fixed part of its kind, then what
 * varies in length. Everything starts at a multiple of 8 and is in host byte order; lengths include the head
 * and the padding. Flags are whole bytes, as a bool read from a file could hold anything.
 */
#ifndef RINGSIDE_FEED_FORMAT_H
#define RINGSIDE_FEED_FORMAT_H

#include "ringside/feed.h"

#define FILE_MAGIC       "rsfeed\r\n" /* as PNG's: shows what text conversion does to it */
#define FILE_VERSION     3U
#define RECORD_BYTES_MAX (1U << 20)

struct file_header {
    char magic[8];
    uint32_t version, header_bytes;
    uint32_t events, cpu_event, frequency_hz, ring_bytes, cpus;
    uint32_t unused;
    struct file_event {
        char name[128], type[64], unit[32];
        uint64_t period;
        double each;
        uint32_t stack_bytes;
        uint8_t kernel, task_counts, unused[2];
    } event[FEED_EVENTS_MAX];
};

struct record_head {
    uint32_t bytes;
    uint32_t kind; /* enum feed_kind */
    uint32_t pid, tid, cpu, unused;
    uint64_t time_ns;
};

struct file_sample { /* then kernel frames, stack */
    uint64_t reg[ARCH_REG_COUNT];
    int64_t value;
    uint64_t counted;
    uint32_t known, event, stack_bytes, kernel_frames;
    uint8_t foreign_abi, unused[7];
};

struct file_mmap { /* then the path, NUL-terminated */
    uint64_t start, bytes, file_offset, inode;
    uint32_t dev_major, dev_minor;
    uint8_t build_id[20], build_id_bytes, unused[3];
};

struct file_comm { /* then the name, NUL-terminated */
    uint8_t exec, unused[7];
};

struct file_fork {
    uint32_t parent_pid, parent_tid;
};

struct file_task_count {
    uint64_t value, lost_samples;
    uint32_t event, unused;
};

struct file_lost {
    uint64_t records;
};

#endif
