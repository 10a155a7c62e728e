/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes of this process, and descriptors of others. */
#include "ops/op.h"
#include "ops/program.h"
#include <linux/poll.h>
#include <linux/prctl.h>
#include <linux/resource.h>
#include <linux/time_types.h>

/* The parent may have died before its death signal was set, so this checks that it lives. */
OP(prctl)
{
	long value = SYS(prctl, N(0), N(1), N(2), N(3), N(4));

	if (value >= 0 && N(0) == PR_SET_PDEATHSIG && monitor_socket >= 0) {
		struct pollfd pfd = { .fd = monitor_socket, .events = 0 };
		struct __kernel_timespec now = { 0 };

		SYS(ppoll, &pfd, 1, &now, 0, 0);
		if (pfd.revents & POLLHUP)
			return -EOWNERDEAD;
	}
	return value;
}

OP(setrlimit)
{
	struct rlimit64 limit = { .rlim_cur = (u64)N(1), .rlim_max = (u64)N(2) };

	return SYS(prlimit64, 0, N(0), &limit, 0);
}

OP(setsid)
{
	(void)frame;
	return SYS(setsid);
}

OP(personality)
{
	long old = SYS(personality, N(0));

	return old < 0 ? old : 0;
}

OP(sched_setattr)
{
	struct {
		u32 size, policy;
		u64 flags;
		int nice;
		u32 priority;
		u64 runtime, deadline, period;
	} attr = {
		.size = 48,
		.policy = (u32)N(0),
		.flags = (u64)N(1),
		.nice = (int)N(2),
		.priority = (u32)N(3),
		.runtime = (u64)N(4),
		.deadline = (u64)N(5),
		.period = (u64)N(6),
	};

	return SYS(sched_setattr, 0, &attr, 0);
}

OP(ioprio_set)
{
	return SYS(ioprio_set, N(0), N(1), N(2));
}

OP(sched_setaffinity)
{
	long err = SYS(sched_setaffinity, 0, LEN(0), S(0));

	return err < 0 ? err : 0;
}

OP(set_mempolicy)
{
	return SYS(set_mempolicy, N(0), LEN(0) ? S(0) : NULL, LEN(0) ? LEN(0) * 8 + 1 : 0);
}

OP(pidfd_open)
{
	return slot_put(N(2), SYS(pidfd_open, N(0), N(1)));
}

OP(pidfd_getfd)
{
	FD(fd, 0);
	return slot_put(N(3), SYS(pidfd_getfd, fd, N(1), N(2)));
}
