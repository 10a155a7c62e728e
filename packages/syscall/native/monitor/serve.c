/* SPDX-License-Identifier: Apache-2.0 */
/* Processes that serve a program, such as FUSE filesystems. */
#include "monitor/monitor.h"
#include "ops/op.h"
#include "ops/program.h"
#include "wire/reply.h"
#include "base/slots.h"
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/time_types.h>
#include <linux/wait.h>
#include <asm/signal.h>

#define SERVERS 16
#define PAUSE 1000000L /* nanoseconds between two checks */

static struct {
	int pid, signal; /* signal 0: it ends without one */
	u32 index;       /* of the op that made it */
} servers[SERVERS];
static int count;

/*
 * Runs a program, which ends in execve, in another process. The execve has happened when the op returns: CLONE_VFORK
 * suspends this process until then.
 */
long op_serve(const struct frame *frame)
{
	struct info info = { 0 };
	long pid;

	if (count == SERVERS)
		return -EMFILE;
	replies_flush();
	pid = SYS(clone, CLONE_VFORK | SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) {
		program_run((const u8 *)frame->string[0].at, frame->string[0].length, 0);
		replies_flush();
		exit_now(125);
	}
	if (pid < 0)
		return pid;
	/* The execve did not happen; a reply has named the op that failed. */
	SYS(waitid, 1 /* P_PID */, pid, &info, WEXITED | WNOHANG | WNOWAIT, 0);
	if (info.pid == pid && info.code == EXITED_BY_ITSELF && info.status == 125) {
		SYS(waitid, 1, pid, &info, WEXITED, 0);
		return -ECHILD;
	}
	servers[count].pid = (int)pid;
	servers[count].signal = (int)frame->number[0];
	servers[count++].index = frame->index;
	return 0;
}

int server_lost(u32 *index)
{
	for (int i = 0; i < count; i++) {
		struct info info = { 0 };

		SYS(waitid, 1 /* P_PID */, servers[i].pid, &info, WEXITED | WNOHANG, 0);
		if (!info.pid)
			continue;
		*index = servers[i].index;
		servers[i] = servers[--count];
		return 1;
	}
	return 0;
}

/* Waits up to number[1] milliseconds until a server has written to a descriptor, which shows that it is ready. */
long op_await_served(const struct frame *frame)
{
	int fd = slot_get(frame->number[0]);
	s64 left = frame->number[1] * 1000000;
	u32 lost;

	if (fd < 0)
		return -EBADF;
	for (;;) {
		struct pollfd p = { fd, POLLIN, 0 };
		struct __kernel_timespec pause = { 0, PAUSE };
		long n = SYS(ppoll, &p, 1, &pause, 0, 0);

		if (n > 0 && p.revents & POLLIN)
			return 0;
		/* The reply names the op that made the server. */
		if (server_lost(&lost)) {
			reply(REPLY_FAILED, ESRCH, lost, 0, NULL, 0);
			return -ESRCH;
		}
		if (n > 0) /* a hang-up: the other end opens it again, or has ended */
			SYS(nanosleep, &pause, 0);
		left -= PAUSE;
		if (left <= 0)
			return -ETIMEDOUT;
	}
}

/* Waits up to number[0] milliseconds until all servers have ended, then kills the rest. */
long op_end_served(const struct frame *frame)
{
	s64 left = frame->number[0] * 1000000;
	long killed = 0;

	for (int i = 0; i < count; i++)
		if (servers[i].signal)
			SYS(kill, servers[i].pid, servers[i].signal);

	while (count) {
		struct __kernel_timespec pause = { 0, PAUSE };
		struct info info = { 0 };
		int last = count - 1;

		SYS(waitid, 1 /* P_PID */, servers[last].pid, &info, WEXITED | WNOHANG, 0);
		if (info.pid) {
			count--;
			continue;
		}
		if (left > 0) {
			SYS(nanosleep, &pause, 0);
			left -= PAUSE;
			continue;
		}
		SYS(kill, servers[last].pid, 9);
		while (SYS(waitid, 1, servers[last].pid, &info, WEXITED, 0) == -EINTR)
			;
		count--;
		killed = -ETIME;
	}
	return killed;
}
