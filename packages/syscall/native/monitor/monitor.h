/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of a monitor share: the process it watches, who listens, and what is on its way. */
#ifndef LAMELLA_MONITOR_H
#define LAMELLA_MONITOR_H

#include "base/kernel.h"
#include "wire/frame.h"
#include "wire/reply.h"
#include <asm/signal.h>
#include <linux/poll.h>

/* Flags of the clone op beside the kernel's own. */
enum {
	CLONE_RAW = 2,   /* stdin is a terminal of the user's: raw while this runs */
	CLONE_INPUT = 4, /* stdin is read for the pty; else nobody types */
	CLONE_ENDED = 16, /* nobody types: whatever reads from the pty comes to the end of the file */
	CLONE_AWAY = 32, /* the terminal is somebody else's for now: the order `foreground` begins with it */
	CLONE_LEAVES = 8, /* this will be told to leave: the end of the process is somebody else's to see */
};

/* Flags of the supervise op. */
enum {
	SUPERVISE_LISTEN = 1,  /* clients may come by the socket `control` */
	SUPERVISE_LOG = 2,     /* what the process writes comes by pipes, or its pty, and is logged */
	SUPERVISE_DETACHED = 4, /* the end of the control pipe is not the process's, once it has begun */
	SUPERVISE_INPUT = 8,   /* stdin is a pipe that clients write to */
	SUPERVISE_RECORD = 16, /* keep the records `state` and `exit` */
};

enum { RESTART_NO, RESTART_ON_FAILURE, RESTART_ALWAYS };

/* Requests of clients and of the control pipe; as ops in a program they are refused. */
#define OP_ENTRY(number, name, numbers, kinds, strings, doc)
#define ORDER_ENTRY(number, name, numbers, kinds, strings, doc) ORDER_##name = number,
enum {
#include "ops/ops.def"
};
#undef OP_ENTRY
#undef ORDER_ENTRY

/* What the init says of a job. */
enum { JOB_STOPPED = 'S', JOB_KILLED = 'K' };

#define CHUNK 16384
#define SECOND 1000000000ULL

struct monitor {
	int pid, pidfd, socket, signals, master;
	/* Where the init tells of its job, and which signal killed that. `away`: it is stopped, and the terminal the user's. */
	int job, job_signal, away;
	/* Nobody types: nanoseconds until the end of the file is said again, or 0. */
	u64 ended;
	u32 index;
	int control_open, input_open, foreground, raw, failed, announced, detached, stopping, leaves;
	/* The status and signal of the process's end. */
	int status, signal;
	u64 started, finished; /* CLOCK_REALTIME, nanoseconds */
	/* Pipes from the process, and to it: -1 where its stdio is inherited. */
	int out[2], in;
	/* What was read and not yet written to the process's stdin. */
	char input[4096 + 64];
	int input_at, input_end;
	/* What it wrote last, as a DATA reply; nothing more is read before everybody has it. */
	u8 chunk[REPLY_HEADER + CHUNK];
	u32 chunk_length;
	u32 shown; /* how much of it the foreground has */
};
extern struct monitor m;

struct supervision {
	int set, directory, events;
	u32 flags;
	s64 log_size, log_files;
	int restart;
	s64 restart_limit, restarts;
	struct bytes attributes, keys;
};
extern struct supervision supervision;

/* monitor.c */
u64 now(int clock);
/* Closes a descriptor and sets it to -1. */
void close_fd(int *fd);

/* orders.c */
void obey(const struct frame *frame);
void forward_signal(int signo);
/* Obeys orders that came together with the program, which ends at `end`. */
void control_begin(const char *end);
void read_control(void);

/* news.c */
void read_child(void);
void read_job(void);
void read_signals(void);

/* typing.c */
int input_pending(void);
void type_end(void);
void read_input(void);
void write_input(int to);

/* step.c */
/* Waits, for so many nanoseconds at most (0: without end), and handles what is ready. */
void monitor_step(u64 nanoseconds);
void drain(void);

/* spawn.c */
/* Makes the process. Returns in the parent only. */
long spawn(const struct frame *frame);

/* serve.c */
/* Returns whether a server ended that was still needed, and sets `*index` to the op that made it. */
int server_lost(u32 *index);

/* terminal.c */
void terminal_raw(void);
void terminal_restore(void);
void take_window_size(void);
void set_window_size(int rows, int columns);
/* Copy what was typed, without the keys that detach; whether those were typed to their end. */
int typed(const char *from, int length, char *to, int *written);

/* clients.c */
long clients_listen(void);
/* Entries of a ppoll array, at least 1 + CLIENTS: how many were filled in. */
#define CLIENTS 32
/* Of them so many may watch: there is always a place for an order. */
#define WATCHERS 16
int clients_poll(struct pollfd *p);
void clients_serve(const struct pollfd *p, int count);
/* Obey what had to wait until stdin took what was typed before. */
void clients_go_on(void);
/* Whether somebody has yet to be sent what is in the chunk. */
int clients_behind(void);
void clients_new_chunk(void);
void clients_tell_started(void);
/* Tell how it ended, for two seconds at most. */
void clients_tell_exited(void);
void clients_give_up_the_slow(void);

/* log.c */
long log_open(void);
/* Write what is left of the chunk; -errno when that has to be tried again. */
long log_write(void);
void log_new_chunk(void);
int log_behind(void);

/* records.c */
void record_started(void);
void record_announced(void);
void record_exited(void);

/* child.c */
long send_to_monitor(char what, int fd);

#endif
