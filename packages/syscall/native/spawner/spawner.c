/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forking a process as large as Node takes milliseconds, and forking this one a tenth of one. Node connects to the
 * socket of the spawner once for each stream of an interpreter, then writes a request; connections are accepted in
 * the order in which they were made. Nobody else can connect: the socket has no name, and its descriptor is open in
 * Node and here only. The spawner ends when Node does, because its requests end; interpreters notice the end of Node
 * by themselves.
 */
#include "spawner/spawner.h"
#include "base/send.h"
#include "base/text.h"
#include "wire/reply.h"
#include <asm/signal.h>
#include <asm/socket.h>
#include <linux/fcntl.h>
#include <linux/poll.h>
#include <linux/socket.h>
#include <linux/time_types.h>
#include <linux/un.h>
#include <linux/wait.h>

#define REQUESTS 3
#define BACKLOG 4096
#define SOCK_STREAM_FLAGS (1 | O_CLOEXEC | O_NONBLOCK)
#define STDIO_BUFFER 65536 /* as Node has it for its pipes */
#define STATUS_FAILED 125
/* Nanoseconds without a request after which a network namespace is made ahead. */
#define QUIET 2000000

/* What the program of an interpreter does: it sets the umask first; it clones into an empty network namespace. */
enum { SETS_UMASK = 1, NEW_NETWORK = 2 };

/* A request: which of stdin, stdout and stderr are connections, and flags. */
struct request {
	u8 connected[3];
	u8 flags;
};

/*
 * A message to Node. The first has pid 0, and the descriptor of the socket as its status. Later ones report interpreters
 * that ended without their last reply.
 */
struct report {
	int pid, status, signal;
};

/* The connections of an interpreter: frames, replies, stdin, stdout, stderr. -1 where there is none. */
#define CONNECTIONS 5

static int listener = -1, spawned;

/*
 * Listens on a socket that has no name any more: it is made in a new directory, and both are removed at once. Returns a
 * descriptor by which the caller finds the socket in /proc, or -errno.
 */
static long listen_without_name(const char *directory)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	long err, place;

	if (length_of(directory) + 3 > sizeof(address.sun_path))
		return -ENAMETOOLONG;
	append(append(address.sun_path, directory), "/s");
	listener = (int)SYS(socket, AF_UNIX, SOCK_STREAM_FLAGS, 0);
	if (listener < 0)
		return listener;
	err = SYS(mkdirat, AT_FDCWD, directory, 0700);
	if (err < 0)
		return err;
	err = SYS(bind, listener, &address, sizeof(address));
	place = err < 0 ? err : SYS(openat, AT_FDCWD, address.sun_path, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
	SYS(unlinkat, AT_FDCWD, address.sun_path, 0);
	SYS(unlinkat, AT_FDCWD, directory, AT_REMOVEDIR);
	err = SYS(listen, listener, BACKLOG);
	return err < 0 ? err : place;
}

static void report(int pid, int status, int signal)
{
	struct report message = { pid, status, signal };

	write_all(REQUESTS, &message, sizeof(message));
}

/* Interpreters that end as they should exit with 0 and have sent their status by themselves. */
static void reap(void)
{
	for (;;) {
		struct info info = { 0 };

		if (SYS(waitid, 0 /* P_ALL */, 0, &info, WEXITED | WNOHANG, 0) < 0 || !info.pid)
			return;
		if (info.code != EXITED_BY_ITSELF)
			report(info.pid, 0, info.status & 0x7f);
		else if (info.status)
			report(info.pid, info.status, 0);
	}
}

/* In the child: the connections become the descriptors that an interpreter of Node has, and all others go. */
static void become_interpreter(const int connection[CONNECTIONS], const struct request *request, int network)
{
	int size = STDIO_BUFFER;

	SYS(dup3, connection[0], 3, O_CLOEXEC);
	SYS(dup3, connection[1], REPLIES_FD, O_CLOEXEC);
	for (int i = 0; i < 3; i++) {
		if (connection[2 + i] < 0)
			continue;
		SYS(setsockopt, connection[2 + i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
		SYS(setsockopt, connection[2 + i], SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
		SYS(dup3, connection[2 + i], i, 0);
	}
	/* Below all descriptors that the program opens. */
	if (network >= 0) {
		SYS(dup3, network, 5, O_CLOEXEC);
		network_accept(5);
	}
	SYS(close_range, network >= 0 ? 6 : 5, ~0U, 0);
	spawned = 1;
	reply_queue(REPLY_SPAWNED, 0, 0, SYS(getpid), NULL, 0);
	caller_follow(!(request->flags & SETS_UMASK));
}

/* Returns whether this is the new interpreter. */
static int serve(const struct request *request)
{
	int connection[CONNECTIONS], network = -1;
	long pid;

	for (int i = 0; i < CONNECTIONS; i++) {
		connection[i] = -1;
		if (i >= 2 && !request->connected[i - 2])
			continue;
		connection[i] = (int)SYS(accept4, listener, 0, 0, O_CLOEXEC);
		/* The connections of all later requests would be taken for others. */
		if (connection[i] < 0)
			exit_now(STATUS_FAILED);
	}
	if (request->flags & NEW_NETWORK) {
		network_want();
		network = network_give();
	}
	pid = SYS(clone, SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) {
		become_interpreter(connection, request, network);
		return 1;
	}
	if (pid < 0) {
		u8 refusal[REPLY_HEADER];

		reply_header(refusal, REPLY_SPAWNED, (int)-pid, 0, -1, 0);
		write_all(connection[1], refusal, sizeof(refusal));
	}
	for (int i = 0; i < CONNECTIONS; i++)
		if (connection[i] >= 0)
			SYS(close, connection[i]);
	if (network >= 0)
		SYS(close, network);
	return 0;
}

/* ps(1) shows interpreters of spawners as it shows others. */
static void rename_arguments(char **argv)
{
	static const char name[] = "sealed";

	__builtin_memset(argv[1], 0, length_of(argv[1]));
	__builtin_memcpy(argv[1], name, sizeof(name));
}

int spawner(char **argv)
{
	static u8 requests[64 * sizeof(struct request)];
	static char directory[sizeof(((struct sockaddr_un *)0)->sun_path)];
	u32 length = 0;
	u64 mask = 1ULL << (SIGCHLD - 1);
	struct pollfd p[3] = { { REQUESTS, POLLIN, 0 }, { -1, POLLIN, 0 }, { -1, POLLIN, 0 } };
	long place;

	SYS(close_range, REQUESTS + 1, ~0U, 0);
	/* Not an argument, which ps(1) would show. */
	if (SYS(read, REQUESTS, directory, sizeof(directory) - 1) <= 0)
		return STATUS_FAILED;
	place = listen_without_name(directory);
	if (place < 0)
		return STATUS_FAILED;
	p[1].fd = (int)SYS(signalfd4, -1, &mask, sizeof(mask), O_CLOEXEC | O_NONBLOCK);
	caller_remember((int)SYS(getppid));
	report(0, (int)place, 0);
	for (;;) {
		u8 signals[1024];
		u32 used = 0;
		struct __kernel_timespec quiet = { 0, QUIET };
		long n;

		p[2].fd = network_maker();
		n = SYS(ppoll, p, 3, network_is_missing() ? &quiet : 0, 0, 0);
		if (n == 0)
			network_begin();
		if (n > 0 && p[2].revents)
			network_receive();
		if (n < 0 && n != -EINTR)
			return STATUS_FAILED;
		if (n > 0 && p[1].revents) {
			SYS(read, p[1].fd, signals, sizeof(signals));
			reap();
		}
		if (n <= 0 || !p[0].revents)
			continue;
		n = SYS(read, REQUESTS, requests + length, sizeof(requests) - length);
		if (n == -EINTR)
			continue;
		if (n <= 0)
			return 0;
		length += (u32)n;
		for (; length - used >= sizeof(struct request); used += sizeof(struct request))
			if (serve((const struct request *)(requests + used))) {
				rename_arguments(argv);
				return SPAWNER_INTERPRETER;
			}
		length -= used;
		__builtin_memmove(requests, requests + used, length);
	}
}

void spawned_exit(int status)
{
	if (!spawned)
		return;
	/* All locks are released before Node reads the last reply, and it sees the end of the output meanwhile. */
	SYS(close_range, 5, ~0U, 0);
	SYS(close_range, 0, 2, 0);
	reply(REPLY_DONE, 0, 0, status, NULL, 0);
	exit_now(0);
}
