/* SPDX-License-Identifier: Apache-2.0 */
/* What the cloned process says to its monitor and hears from it, and the init it may become. */
#include "monitor.h"
#include <linux/fcntl.h>
#include <linux/sched.h>
#include <linux/wait.h>

#define SCM_RIGHTS_TYPE 1
#define SOL_SOCKET_LEVEL 1
#define MSG_CMSG_CLOEXEC_FLAG 0x40000000

struct message {
	void *name;
	u32 name_length, pad;
	struct span {
		void *at;
		u64 length;
	} *spans;
	u64 spans_length;
	void *control;
	u64 control_length;
	u32 flags, pad2;
};

struct passed {
	u64 length;
	int level, type;
	int fd, pad;
};

long send_descriptor(int socket, const void *data, size_t length, int fd)
{
	struct span span = { (void *)(uintptr_t)data, length };
	struct passed passed = { 20, SOL_SOCKET_LEVEL, SCM_RIGHTS_TYPE, fd, 0 };
	struct message message = { .spans = &span, .spans_length = 1 };

	if (fd >= 0) {
		message.control = &passed;
		message.control_length = sizeof(passed);
	}
	return SYS(sendmsg, socket, &message, MSG_NOSIGNAL_FLAG);
}

long send_to_monitor(char what, int fd)
{
	return send_descriptor(monitor_socket, &what, 1, fd);
}

/* 0 at the end of the conversation; `*fd` is set when one came along. */
long receive(int socket, void *to, size_t room, int *fd)
{
	struct span span = { to, room };
	struct passed passed = { 0 };
	struct message message = {
		.spans = &span,
		.spans_length = 1,
		.control = &passed,
		.control_length = sizeof(passed),
	};
	long n = SYS(recvmsg, socket, &message, MSG_CMSG_CLOEXEC_FLAG);

	if (n > 0 && passed.length >= 20 && passed.type == SCM_RIGHTS_TYPE)
		*fd = passed.fd;
	return n;
}

/*
 * Block until the monitor is told to go, then run what came with that; the monitor's end ends us
 * too. A message is 'G' and a part of a program, or 'P' when more parts follow.
 */
long op_wait(const struct frame *frame)
{
	/* The program that is running lies in the input, so the rest of it needs a place of its own. */
	static u8 rest[FRAME_MAX];
	size_t length = 0;
	int fd = -1;

	(void)frame;
	if (monitor_socket < 0)
		return -EINVAL;
	for (;;) {
		static u8 part[1 + 65536];
		long n = receive(monitor_socket, part, sizeof(part), &fd);

		if (n == -EINTR)
			continue;
		if (n <= 0 || (part[0] != 'G' && part[0] != 'P'))
			return -EOWNERDEAD;
		if (length + (size_t)n - 1 > sizeof(rest))
			return -EMSGSIZE;
		__builtin_memcpy(rest + length, part + 1, (size_t)n - 1);
		length += (size_t)n - 1;
		if (part[0] == 'G')
			return program_run(rest, length, 0);
	}
}

/*
 * Fork: the child goes on with the program, this process stays as pid 1, reaps whatever is left
 * to it, passes signals on, and ends with the child's status.
 */
long op_init(const struct frame *frame)
{
	long child;

	(void)frame;
	replies_flush();
	/* Not clone3: seccomp filters, which are there already, cannot see its flags and refuse it. */
	child = SYS(clone, SIGCHLD, 0, 0, 0, 0);
	if (child <= 0)
		return child;
	SYS(close_range, 0, ~0U, 0);
	for (;;) {
		struct info info = { 0 };
		u64 mask = ALL_SIGNALS;
		long signo = SYS(rt_sigtimedwait, &mask, &info, 0, sizeof(mask));

		if (signo > 0 && signo != SIGCHLD)
			SYS(kill, child, signo);
		for (;;) {
			struct info dead = { 0 };

			if (SYS(waitid, 0 /* P_ALL */, 0, &dead, WEXITED | WNOHANG, 0) < 0 || !dead.pid)
				break;
			if (dead.pid == child)
				exit_now(dead.code == EXITED_BY_ITSELF ? dead.status
								       : 128 + (dead.status & 0x7f));
		}
	}
}
