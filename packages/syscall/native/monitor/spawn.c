/* SPDX-License-Identifier: Apache-2.0 */
/* The process that a monitor watches: made with its pipes, its namespaces and its cgroup. */
#include "monitor/monitor.h"
#include "ops/program.h"
#include "wire/reply.h"
#include "base/slots.h"
#include "spawner/spawner.h"
#include <linux/fcntl.h>
#include <linux/sched.h>
#include <linux/socket.h>

#define SOCK_SEQPACKET_CLOEXEC (5 | O_CLOEXEC)

static long make_pipes(int child[3])
{
	for (int i = 0; i < 3; i++) {
		int ends[2];
		long err;

		if (!(i ? supervision.flags & SUPERVISE_LOG : supervision.flags & SUPERVISE_INPUT))
			continue;
		err = SYS(pipe2, ends, O_CLOEXEC);
		if (err < 0)
			return err;
		child[i] = ends[i ? 1 : 0];
		*(i ? &m.out[i - 1] : &m.in) = ends[i ? 0 : 1];
		SYS(fcntl, ends[i ? 0 : 1], F_SETFL, O_RDWR | O_NONBLOCK);
	}
	return 0;
}

/* Closes the ends of the process in the monitor. */
static void drop_pipes(int child[3])
{
	for (int i = 0; i < 3; i++)
		if (child[i] >= 0)
			close_fd(&child[i]);
}

/* Makes the process. Returns in the parent only. */
long spawn(const struct frame *frame)
{
	struct clone_args args = { 0 };
	int pair[2], pidfd = -1, network = -1, child[3] = { -1, -1, -1 };
	long pid = SYS(socketpair, AF_UNIX, SOCK_SEQPACKET_CLOEXEC, 0, pair);

	if (pid < 0)
		return pid;
	args.flags = (u64)frame->number[0] | CLONE_PIDFD;
	args.pidfd = (u64)(uintptr_t)&pidfd;
	args.exit_signal = SIGCHLD;
	if (args.flags & CLONE_NEWNET)
		network = spawned_network();
	if (network >= 0)
		args.flags &= ~(u64)CLONE_NEWNET;
	if (frame->number[2] != -1) {
		int cgroup = slot_get(frame->number[2]);

		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (u64)cgroup;
		pid = cgroup == -EBADF ? -EBADF : 0;
	}
	if (pid >= 0)
		pid = make_pipes(child);
	replies_flush();
	if (pid >= 0)
		pid = SYS(clone3, &args, sizeof(args));
	if (pid != 0 && network >= 0)
		close_fd(&network);
	if (pid < 0) {
		SYS(close, pair[0]);
		SYS(close, pair[1]);
		drop_pipes(child);
		return pid;
	}
	if (pid == 0) {
		long err = 0;

		SYS(close, pair[0]);
		monitor_socket = pair[1];
		for (int i = 0; i < 3 && err >= 0; i++)
			if (child[i] >= 0)
				err = SYS(dup3, child[i], i, 0);
		if (err >= 0 && network >= 0) {
			err = SYS(setns, network, CLONE_NEWNET);
			close_fd(&network);
			if (err < 0)
				reply(REPLY_FAILED, (int)-err, frame->index, 0, NULL, 0);
		}
		if (err >= 0)
			err = program_run((const u8 *)frame->string[0].at, frame->string[0].length, 0);
		replies_flush();
		if (err < 0)
			send_to_monitor('F', -1);
		exit_now(err < 0 ? 125 : 0);
	}
	SYS(close, pair[1]);
	drop_pipes(child);
	m.pid = (int)pid;
	m.pidfd = pidfd;
	m.socket = pair[0];
	m.master = -1;
	m.job = -1;
	m.job_signal = 0;
	m.started = now(0);
	record_started();
	if (frame->flags & OP_REPLY)
		reply(REPLY_OK, 0, frame->index, pid, NULL, 0);
	return 0;
}
