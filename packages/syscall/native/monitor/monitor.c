/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `clone` makes the container's first process and turns the caller into its monitor, which forwards signals, terminals,
 * output and orders, writes records, restarts the process if asked, and runs the exit program.
 */
#include "monitor/monitor.h"
#include "ops/op.h"
#include "ops/program.h"
#include "spawner/spawner.h"
#include "wire/reply.h"
#include <linux/fcntl.h>
#include <linux/time_types.h>
#include <linux/wait.h>

/* Pauses between restarts double, as Docker's do, and begin anew after a life of ten seconds. */
#define FIRST_PAUSE 100000000ULL
#define LONGEST_PAUSE (60 * SECOND)
#define LONG_LIFE (10 * SECOND)
#define FIRST_END (SECOND / 20)

struct monitor m;
struct supervision supervision = { .events = -1, .directory = -1 };

u64 now(int clock)
{
	struct __kernel_timespec t = { 0 };

	SYS(clock_gettime, clock, &t);
	return (u64)t.tv_sec * SECOND + (u64)t.tv_nsec;
}

void close_fd(int *fd)
{
	SYS(close, *fd);
	*fd = -1;
}

static void reap(void)
{
	struct info info = { 0 };

	while (SYS(waitid, 1 /* P_PID */, m.pid, &info, WEXITED, 0) == -EINTR)
		;
	m.finished = now(0);
	/* Its last reports. The socket of a short job may still be queued there, so this comes first. */
	while (m.socket >= 0)
		read_child();
	while (m.job >= 0) /* no other process has the other end */
		read_job();
	m.signal = info.code == EXITED_BY_ITSELF ? 0 : info.status & 0x7f;
	m.status = m.signal ? 128 + m.signal : info.status;
	if (m.job_signal && m.status == 128 + m.job_signal)
		m.signal = m.job_signal;
}

static void finish_life(void)
{
	while (m.pidfd >= 0)
		monitor_step(0);
	/* The process stays a zombie for its adopter for as long as it may be adopted. */
	while (m.leaves && m.announced && m.control_open)
		monitor_step(0);
	reap();
	drain();
	if (m.master >= 0)
		close_fd(&m.master);
	for (int i = 0; i < 2; i++)
		if (m.out[i] >= 0)
			close_fd(&m.out[i]);
	if (m.in >= 0)
		close_fd(&m.in);
	m.input_at = m.input_end = 0;
	record_exited();
}

static int again(void)
{
	if (m.stopping || m.failed || supervision.restart == RESTART_NO)
		return 0;
	if (supervision.restart == RESTART_ALWAYS)
		return 1;
	return m.status != 0 && (supervision.restart_limit <= 0 || supervision.restarts < supervision.restart_limit);
}

static __attribute__((noreturn)) void monitor(const struct frame *frame)
{
	u64 mask = ALL_SIGNALS, pause = FIRST_PAUSE;
	const struct bytes *program = &frame->string[0];

	m.signals = (int)SYS(signalfd4, -1, &mask, sizeof(mask), O_CLOEXEC | O_NONBLOCK);
	/* Orders that came together with the program. */
	control_begin(program->at + program->length + 1);
	for (;;) {
		u64 until;

		finish_life();
		if (!again())
			break;
		if (m.finished - m.started > LONG_LIFE)
			pause = FIRST_PAUSE;
		for (until = now(1) + pause; !m.stopping && now(1) < until;)
			monitor_step(until - now(1) + 1);
		pause = pause * 2 < LONGEST_PAUSE ? pause * 2 : LONGEST_PAUSE;
		supervision.restarts++;
		if (m.stopping || spawn(frame) < 0)
			break;
	}
	terminal_restore();
	reply(REPLY_EXITED, m.signal, m.index, m.status, NULL, 0);
	exit_program_run();
	record_removed();
	clients_tell_exited();
	spawned_exit(m.status);
	exit_now(m.status);
	__builtin_unreachable();
}

/* Sets how the monitor that `clone` makes watches the process; monitor.h has the flags. */
long op_supervise(const struct frame *frame)
{
	int directory = slot_get(frame->number[0]), events = frame->number[6] == -1 ? -1 : slot_get(frame->number[6]);

	if (directory == -EBADF || events == -EBADF)
		return -EBADF;
	if (supervision.set || frame->string[0].length > 4096 || frame->number[3] > 9 ||
	    frame->string[1].length > 32)
		return -EINVAL;
	supervision = (struct supervision){
		.set = 1,
		.directory = directory,
		.events = events,
		.flags = (u32)frame->number[1],
		.log_size = frame->number[2],
		.log_files = frame->number[3],
		.restart = (int)frame->number[4],
		.restart_limit = frame->number[5],
	};
	/* The memory of this frame is reused after the op, so the monitor needs copies. */
	{
		static char attributes[4096], keys[32];

		__builtin_memcpy(attributes, frame->string[0].at, frame->string[0].length);
		__builtin_memcpy(keys, frame->string[1].at, frame->string[1].length);
		supervision.attributes = (struct bytes){ attributes, frame->string[0].length };
		supervision.keys = (struct bytes){ keys, frame->string[1].length };
	}
	if (supervision.flags & SUPERVISE_LOG) {
		long err = log_open();

		if (err < 0)
			return err;
	}
	return supervision.flags & SUPERVISE_LISTEN ? clients_listen() : 0;
}

long op_clone(const struct frame *frame)
{
	long err;

	if (monitor_socket >= 0)
		return -EINVAL; /* one monitor, one child */
	m.index = frame->index;
	m.control_open = 1;
	m.in = m.out[0] = m.out[1] = -1;
	m.input_open = (frame->number[1] & CLONE_INPUT) != 0;
	m.leaves = (frame->number[1] & CLONE_LEAVES) != 0;
	m.ended = frame->number[1] & CLONE_ENDED ? FIRST_END : 0;
	/* The monitor of a detached process has no terminal. */
	m.foreground = !(supervision.flags & SUPERVISE_DETACHED);
	err = spawn(frame);
	if (err < 0)
		return err;
	m.away = (frame->number[1] & CLONE_AWAY) != 0;
	if (frame->number[1] & CLONE_RAW && !m.away)
		terminal_raw();
	monitor(frame);
}
