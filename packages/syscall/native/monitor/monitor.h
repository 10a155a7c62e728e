/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of a monitor share: its process, its listeners, and pending data. */
#ifndef LAMELLA_MONITOR_H
#define LAMELLA_MONITOR_H

#include "base/kernel.h"
#include "wire/frame.h"
#include "wire/reply.h"
#include <asm/signal.h>
#include <linux/poll.h>

/* Flags of the clone op beside the kernel's own. */
enum {
	CLONE_RAW = 2,   /* stdin is the terminal of the user: raw while this runs */
	CLONE_INPUT = 4, /* stdin is read for the pty; otherwise the pty has no input */
	CLONE_ENDED = 16, /* no input: readers of the pty get end of file */
	CLONE_AWAY = 32, /* another job has the terminal until the order `foreground` */
	CLONE_LEAVES = 8, /* the monitor will get the order `leave`: the adopter of the process reaps it */
};

/* Flags of the supervise op. */
enum {
	SUPERVISE_LISTEN = 1,  /* clients can connect to the socket `control` */
	SUPERVISE_LOG = 2,     /* output goes through pipes, or the pty, and is logged */
	SUPERVISE_DETACHED = 4, /* the process outlives the control pipe once it has started */
	SUPERVISE_INPUT = 8,   /* stdin is a pipe that clients write to */
	SUPERVISE_RECORD = 16, /* keep the records `state` and `exit` */
	SUPERVISE_CREATED = 32, /* the event `create` precedes the first `start` */
	SUPERVISE_REMOVED = 64, /* the event `destroy` follows the exit program */
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

/* What the init reports about a job. */
enum { JOB_STOPPED = 'S', JOB_KILLED = 'K' };

#define CHUNK 16384
#define SECOND 1000000000ULL

struct monitor {
	int pid, pidfd, socket, signals, master;
	/* The init's reports on its job, and the signal that killed the job. `away`: the job is stopped, and the user has the terminal. */
	int job, job_signal, away;
	/* Without input: nanoseconds until end of file is typed again, or 0. */
	u64 ended;
	u32 index;
	int control_open, input_open, foreground, raw, failed, announced, detached, stopping, leaves;
	/* Exit status and signal of the process. */
	int status, signal;
	u64 started, finished; /* CLOCK_REALTIME, nanoseconds */
	/* Pipes from and to the process; -1 where its stdio is inherited. */
	int out[2], in;
	/* Input that was read and is not yet written to the process. */
	char input[4096 + 64];
	int input_at, input_end;
	/* The last output, as a DATA reply. Nothing more is read until every listener has it. */
	u8 chunk[REPLY_HEADER + CHUNK];
	u32 chunk_length;
	u32 shown; /* how much of it the foreground was sent */
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
/* Copies input without the keys that detach. Returns whether those keys were typed completely. */
int typed(const char *from, int length, char *to, int *written);

/* clients.c */
long clients_listen(void);
/* Fills in entries of a ppoll array of at least 1 + CLIENTS. Returns how many. */
#define CLIENTS 32
/* How many clients may watch, so that an order always finds a free place. */
#define WATCHERS 16
int clients_poll(struct pollfd *p);
void clients_serve(const struct pollfd *p, int count);
/* Handles orders that waited until stdin took earlier input. */
void clients_go_on(void);
/* Whether a client has not been sent all of the chunk. */
int clients_behind(void);
void clients_new_chunk(void);
void clients_tell_started(void);
/* Sends the result to clients, for up to two seconds. */
void clients_tell_exited(void);
void clients_give_up_the_slow(void);

/* log.c */
long log_open(void);
/* Writes the rest of the chunk. Returns -errno if that must be tried again. */
long log_write(void);
void log_new_chunk(void);
int log_behind(void);

/* records.c */
void record_started(void);
void record_announced(void);
void record_exited(void);
void record_removed(void);

/* child.c */
long send_to_monitor(char what, int fd);

#endif
