/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An empty network namespace takes the kernel longer than all mounts of a container. So one is made ahead while nobody
 * asks for anything, and the next process that needs its own gets that one. A child makes it, because unshare(2) waits
 * while the kernel removes other network namespaces.
 */
#include "base/send.h"
#include "spawner/spawner.h"
#include <asm/signal.h>
#include <linux/fcntl.h>
#include <linux/sched.h>

#define SOCK_SEQPACKET_CLOEXEC (5 | O_CLOEXEC)

/* `maker`: the socket from which it comes, while a child makes it. */
static int ahead = -1, maker = -1, wanted, impossible;
/* In an interpreter: what the spawner gave to it. */
static int given = -1;

void network_want(void)
{
	wanted = 1;
}

int network_is_missing(void)
{
	return wanted && ahead < 0 && maker < 0 && !impossible;
}

int network_maker(void)
{
	return maker;
}

static __attribute__((noreturn)) void make(int to)
{
	long fd = SYS(unshare, CLONE_NEWNET);

	if (fd >= 0)
		fd = SYS(openat, AT_FDCWD, "/proc/self/ns/net", O_RDONLY | O_CLOEXEC, 0);
	if (fd >= 0)
		send_descriptor(to, "N", 1, (int)fd);
	exit_now(0);
	__builtin_unreachable();
}

void network_begin(void)
{
	int pair[2];
	long pid;

	impossible = SYS(socketpair, AF_UNIX, SOCK_SEQPACKET_CLOEXEC, 0, pair) < 0;
	if (impossible)
		return;
	pid = SYS(clone, SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) {
		SYS(close_range, 3, pair[1] - 1, 0);
		SYS(close_range, pair[1] + 1, ~0U, 0);
		make(pair[1]);
	}
	SYS(close, pair[1]);
	maker = pair[0];
}

void network_receive(void)
{
	char what;

	ahead = -1;
	impossible = receive(maker, &what, 1, &ahead) <= 0 || ahead < 0;
	SYS(close, maker);
	maker = -1;
}

int network_give(void)
{
	int fd = ahead;

	ahead = -1;
	return fd;
}

void network_accept(int fd)
{
	given = fd;
}

int spawned_network(void)
{
	int fd = given;

	given = -1;
	return fd;
}
