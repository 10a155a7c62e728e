/* SPDX-License-Identifier: Apache-2.0 */
/* Namespaces: joined, left and made. */
#include "ops/op.h"
#include "base/text.h"
#include <asm/signal.h>
#include <linux/fcntl.h>
#include <linux/sched.h>

OP(setns)
{
	FD(fd, 0);
	return SYS(setns, fd, N(1));
}

OP(unshare)
{
	return SYS(unshare, N(0));
}

/* Writes uid_map or gid_map of a user namespace (user_namespaces(7)). */
static long write_map(int pid, const char *file, const struct bytes *map)
{
	char path[64];
	long fd, err;

	process_path(path, pid, file);
	fd = SYS(openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	/* The kernel requires a single write. */
	err = SYS(write, fd, map->at, map->length);
	SYS(close, fd);
	return err < 0 ? err : 0;
}

/*
 * Makes an empty user namespace with an id mapping, for idmapped mounts or to be joined. A child makes it, because a
 * process cannot leave its user namespace again. The child exits once the namespace is open.
 */
OP(userns)
{
	int ends[2], status, pid;
	long fd, err = SYS(pipe2, ends, O_CLOEXEC);
	char path[64];

	if (err < 0)
		return err;
	pid = (int)SYS(clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) {
		char byte;

		SYS(close, ends[1]);
		SYS(read, ends[0], &byte, 1);
		exit_now(0);
	}
	SYS(close, ends[0]);
	if (pid < 0) {
		SYS(close, ends[1]);
		return pid;
	}
	err = write_map(pid, "/uid_map", &frame->string[0]);
	if (err >= 0)
		err = write_map(pid, "/gid_map", &frame->string[1]);
	process_path(path, pid, "/ns/user");
	fd = err < 0 ? err : SYS(openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	SYS(close, ends[1]);
	while (SYS(wait4, pid, &status, 0, 0) == -EINTR)
		;
	return slot_put(N(0), fd);
}

/* Makes an empty network namespace that belongs to a user namespace (-1: the one of this process). */
OP(netns)
{
	int ends[2], status, pid, userns = -1;
	long fd, err;
	char path[64], byte = 0;

	if (N(0) != -1 && (userns = slot_get(N(0))) == -EBADF)
		return -EBADF;
	err = SYS(socketpair, AF_UNIX, 1 | O_CLOEXEC /* SOCK_STREAM */, 0, ends);
	if (err < 0)
		return err;
	pid = (int)SYS(clone, SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) {
		SYS(close, ends[0]);
		err = userns < 0 ? 0 : SYS(setns, userns, CLONE_NEWUSER);
		if (err >= 0)
			err = SYS(unshare, CLONE_NEWNET);
		byte = (char)-err;
		SYS(write, ends[1], &byte, 1);
		SYS(read, ends[1], &byte, 1);
		exit_now(0);
	}
	SYS(close, ends[1]);
	if (pid < 0) {
		SYS(close, ends[0]);
		return pid;
	}
	err = SYS(read, ends[0], &byte, 1);
	process_path(path, pid, "/ns/net");
	fd = err < 1 ? -ECHILD : byte ? -(long)byte : SYS(openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	SYS(close, ends[0]);
	while (SYS(wait4, pid, &status, 0, 0) == -EINTR)
		;
	return slot_put(N(1), fd);
}
