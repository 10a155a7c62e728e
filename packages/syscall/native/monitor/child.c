/* SPDX-License-Identifier: Apache-2.0 */
/* The messages between the cloned process and its monitor, and the init that the process may become. */
#include "monitor/monitor.h"
#include "base/send.h"
#include "ops/op.h"
#include "ops/program.h"
#include "wire/reply.h"
#include <asm/ioctls.h>
#include <linux/fcntl.h>
#include <linux/sched.h>
#include <linux/wait.h>

long send_to_monitor(char what, int fd)
{
	return send_descriptor(monitor_socket, &what, 1, fd);
}

/*
 * Waits for the order `go`, then runs the ops that came with it. The end of the monitor ends this process too. A
 * message is 'G' and a part of a program, or 'P' if more parts follow.
 */
long op_wait(const struct frame *frame)
{
	/* The running program is in the input buffer, so the rest of it needs another buffer. */
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

#define SOCK_SEQPACKET_CLOEXEC (5 | O_CLOEXEC)
#define STOPPED 5 /* CLD_STOPPED */

/* Returns whether a signal goes to all processes of a job, as those of a terminal do. */
static int is_for_all(long signo)
{
	return signo == SIGHUP || signo == SIGINT || signo == SIGQUIT || signo == SIGTERM || signo == SIGTSTP || signo == SIGCONT;
}

/*
 * Returns whom to signal for a job. A stop signal goes to the first process only, and to the others after that one has
 * stopped. A shell that waits for a vforked child cannot stop, and its stop would be missed if the child stopped first.
 */
static int receiver(int job, int child, long signo)
{
	return job >= 0 && signo != SIGTSTP && is_for_all(signo) ? -child : child;
}

/* Reports a job to the monitor: `what` is JOB_STOPPED or JOB_KILLED. */
static void tell_of_job(int to, char what, int signo)
{
	u8 message[2] = { (u8)what, (u8)signo };

	SYS(sendto, to, message, sizeof(message), MSG_NOSIGNAL_FLAG, 0, 0);
}

/* Makes a new process group in the foreground of the terminal of the session, so that the job can be stopped and resumed. */
static void become_job(void)
{
	int own = (int)SYS(getpid);

	SYS(setpgid, 0, 0);
	SYS(ioctl, 0, TIOCSPGRP, &own);
}

/* Opens the socket that reports on a job and sends its other end to the monitor. */
static long open_job(int *socket)
{
	int pair[2];
	long err = SYS(socketpair, AF_UNIX, SOCK_SEQPACKET_CLOEXEC, 0, pair);

	if (err < 0)
		return err;
	err = send_to_monitor('J', pair[1]);
	SYS(close, pair[1]);
	*socket = pair[0];
	return err < 0 ? err : 0;
}

/*
 * Forks. The child continues with the program. This process stays as pid 1, reaps, forwards signals, and exits with the
 * status of the child. With number[0] the child is a job, as shells have them, and the monitor learns when it stops and
 * which signal killed it.
 */
long op_init(const struct frame *frame)
{
	int job = -1, stopping = 0;
	long child;

	if (frame->number[0]) {
		long err = monitor_socket < 0 ? -EINVAL : open_job(&job);

		if (err < 0)
			return err;
	}
	replies_flush();
	/* Not clone3: seccomp filters are set already, cannot see its flags, and refuse it. */
	child = SYS(clone, SIGCHLD, 0, 0, 0, 0);
	if (child <= 0) {
		if (job >= 0)
			SYS(close, job);
		if (child == 0 && job >= 0)
			become_job();
		return child;
	}
	if (job < 0)
		SYS(close_range, 0, ~0U, 0);
	else {
		/* Both processes do this, because either may come first. */
		SYS(setpgid, child, child);
		SYS(close_range, 0, job - 1, 0);
		SYS(close_range, job + 1, ~0U, 0);
	}
	for (;;) {
		struct info info = { 0 };
		u64 mask = ALL_SIGNALS;
		long signo = SYS(rt_sigtimedwait, &mask, &info, 0, sizeof(mask));

		if (signo > 0 && signo != SIGCHLD)
			SYS(kill, receiver(job, (int)child, signo), signo);
		if (signo == SIGTSTP || signo == SIGCONT)
			stopping = signo == SIGTSTP;
		for (;;) {
			struct info dead = { 0 };
			int killed;

			if (SYS(waitid, 0 /* P_ALL */, 0, &dead, WEXITED | WNOHANG | (job >= 0 ? WSTOPPED : 0), 0) < 0 || !dead.pid)
				break;
			if (dead.pid != child)
				continue;
			if (dead.code == STOPPED) {
				/* The first process has stopped already; SIGCONT cancels this second signal. */
				if (stopping)
					SYS(kill, -child, SIGTSTP);
				stopping = 0;
				tell_of_job(job, JOB_STOPPED, dead.status);
				continue;
			}
			killed = dead.code == EXITED_BY_ITSELF ? 0 : dead.status & 0x7f;
			if (killed && job >= 0)
				tell_of_job(job, JOB_KILLED, killed);
			exit_now(killed ? 128 + killed : dead.status);
		}
	}
}
