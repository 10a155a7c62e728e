/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One function per opcode, one system call per function but for the few compound ones, and the
 * table that gives each its number and shape. packages/syscall/src/opcodes.ts is the same table
 * for the other side; a test holds the two together.
 */
#include "interpreter.h"
#include <linux/fcntl.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/mount.h>
#include <linux/netlink.h>
#include <linux/prctl.h>
#include <linux/capability.h>
#include <linux/resource.h>
#include <linux/time_types.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <asm/signal.h>

#define N(i) (frame->number[i])
#define S(i) (frame->string[i].at)
#define LEN(i) (frame->string[i].length)
#define OP(name) static long op_##name(const struct frame *frame)

/* Fetch a slot's descriptor into `var`, or fail the op. */
#define FD(var, i)                       \
	int var = slot_get(N(i));        \
	if (var == -EBADF)               \
		return -EBADF

long write_all(int fd, const void *from, size_t length)
{
	const char *data = from;

	while (length) {
		long n = SYS(write, fd, data, length);

		if (n == -EINTR)
			continue;
		if (n < 0)
			return n;
		data += n;
		length -= (size_t)n;
	}
	return 0;
}

OP(mount)
{
	return SYS(mount, S(0), S(1), S(2), N(0), S(3));
}

OP(umount2)
{
	return SYS(umount2, S(0), N(0));
}

OP(open_tree)
{
	FD(dirfd, 0);
	return slot_put(N(2), SYS(open_tree, dirfd, S(0), N(1)));
}

OP(move_mount)
{
	FD(from, 0);
	FD(to, 1);
	return SYS(move_mount, from, S(0), to, S(1), N(2));
}

OP(mount_setattr)
{
	FD(dirfd, 0);
	struct mount_attr attr = {
		.attr_set = (u64)N(2),
		.attr_clr = (u64)N(3),
		.propagation = (u64)N(4),
	};

	if (N(5) != -1) {
		FD(userns, 5);
		attr.userns_fd = (u64)userns;
	}
	return SYS(mount_setattr, dirfd, S(0), N(1), &attr, sizeof(attr));
}

OP(fsopen)
{
	return slot_put(N(1), SYS(fsopen, S(0), N(0)));
}

OP(fsconfig)
{
	FD(fd, 0);
	int aux = 0;

	if (N(2) != -1) {
		aux = slot_get(N(2));
		if (aux == -EBADF)
			return -EBADF;
	}
	return SYS(fsconfig, fd, N(1), S(0), S(1), aux);
}

OP(fsmount)
{
	FD(fd, 0);
	return slot_put(N(3), SYS(fsmount, fd, N(1), N(2)));
}

OP(pivot_root)
{
	return SYS(pivot_root, S(0), S(1));
}

OP(chdir)
{
	return SYS(chdir, S(0));
}

OP(fchdir)
{
	FD(fd, 0);
	return SYS(fchdir, fd);
}

OP(chroot)
{
	return SYS(chroot, S(0));
}

/* OP_REPLACE keeps a directory that is there and removes anything else. */
OP(mkdirat)
{
	FD(dirfd, 0);
	long err = SYS(mkdirat, dirfd, S(0), N(1));
	struct statx st;

	if (err != -EEXIST || !(frame->flags & OP_REPLACE))
		return err;
	err = SYS(statx, dirfd, S(0), AT_SYMLINK_NOFOLLOW, STATX_TYPE, &st);
	if (err < 0)
		return err;
	if ((st.stx_mode & S_IFMT) == S_IFDIR)
		return 0;
	err = SYS(unlinkat, dirfd, S(0), 0);
	return err < 0 ? err : SYS(mkdirat, dirfd, S(0), N(1));
}

/* Try once more after clearing the way, when the program asked for that. */
static int cleared(const struct frame *frame, long err, int dirfd, const char *path)
{
	return err == -EEXIST && frame->flags & OP_REPLACE && tree_remove(dirfd, path) == 0;
}

OP(mknodat)
{
	FD(dirfd, 0);
	u64 major = (u64)N(2), minor = (u64)N(3);
	/* The kernel's encoding of a device number for user space (new_encode_dev). */
	u64 dev = (minor & 0xff) | (major << 8) | ((minor & ~0xffULL) << 12);
	long err = SYS(mknodat, dirfd, S(0), N(1), dev);

	return cleared(frame, err, dirfd, S(0)) ? SYS(mknodat, dirfd, S(0), N(1), dev) : err;
}

OP(symlinkat)
{
	FD(dirfd, 0);
	long err = SYS(symlinkat, S(0), dirfd, S(1));

	return cleared(frame, err, dirfd, S(1)) ? SYS(symlinkat, S(0), dirfd, S(1)) : err;
}

OP(linkat)
{
	FD(from, 0);
	FD(to, 1);
	long err = SYS(linkat, from, S(0), to, S(1), N(2));
	struct statx a, b;

	if (err != -EEXIST || !(frame->flags & OP_REPLACE))
		return err;
	/* A link onto itself is already what was asked for; removing it would lose the file. */
	if (SYS(statx, from, S(0), AT_SYMLINK_NOFOLLOW, STATX_INO, &a) == 0 &&
	    SYS(statx, to, S(1), AT_SYMLINK_NOFOLLOW, STATX_INO, &b) == 0 &&
	    a.stx_ino == b.stx_ino && a.stx_dev_major == b.stx_dev_major &&
	    a.stx_dev_minor == b.stx_dev_minor)
		return 0;
	return cleared(frame, err, to, S(1)) ? SYS(linkat, from, S(0), to, S(1), N(2)) : err;
}

OP(unlinkat)
{
	FD(dirfd, 0);
	return SYS(unlinkat, dirfd, S(0), N(1));
}

OP(renameat2)
{
	FD(from, 0);
	FD(to, 1);
	return SYS(renameat2, from, S(0), to, S(1), N(2));
}

OP(openat)
{
	FD(dirfd, 0);
	long fd = SYS(openat, dirfd, S(0), N(1), N(2));

	if (cleared(frame, fd, dirfd, S(0)))
		fd = SYS(openat, dirfd, S(0), N(1), N(2));
	return slot_put(N(3), fd);
}

OP(openat2)
{
	FD(dirfd, 0);
	struct open_how how = { .flags = (u64)N(1), .mode = (u64)N(2), .resolve = (u64)N(3) };

	return slot_put(N(4), openat2_again(dirfd, S(0), &how));
}

OP(write)
{
	FD(fd, 0);
	return write_all(fd, S(0), LEN(0));
}

OP(ftruncate)
{
	FD(fd, 0);
	return SYS(ftruncate, fd, N(1));
}

OP(lseek)
{
	FD(fd, 0);
	return SYS(lseek, fd, N(1), N(2));
}

OP(close)
{
	FD(fd, 0);
	if (N(0) < 0)
		return -EBADF;
	slots[N(0)] = -1;
	return SYS(close, fd);
}

OP(fchownat)
{
	FD(dirfd, 0);
	return SYS(fchownat, dirfd, S(0), N(1), N(2), N(3));
}

OP(fchmod)
{
	FD(fd, 0);
	return SYS(fchmod, fd, N(1));
}

OP(fchmodat)
{
	FD(dirfd, 0);
	return SYS(fchmodat, dirfd, S(0), N(1));
}

OP(utimensat)
{
	FD(dirfd, 0);
	struct __kernel_timespec times[2] = {
		{ .tv_sec = N(1), .tv_nsec = N(2) },
		{ .tv_sec = N(3), .tv_nsec = N(4) },
	};

	return SYS(utimensat, dirfd, S(0), times, N(5));
}

OP(lsetxattr)
{
	return SYS(lsetxattr, S(0), S(1), S(2), LEN(2), N(0));
}

OP(fsetxattr)
{
	FD(fd, 0);
	return SYS(fsetxattr, fd, S(0), S(1), LEN(1), N(1));
}

OP(fsync)
{
	FD(fd, 0);
	return SYS(fsync, fd);
}

OP(syncfs)
{
	FD(fd, 0);
	return SYS(syncfs, fd);
}

OP(flock)
{
	FD(fd, 0);
	return SYS(flock, fd, N(1));
}

OP(sethostname)
{
	return SYS(sethostname, S(0), LEN(0));
}

OP(setdomainname)
{
	return SYS(setdomainname, S(0), LEN(0));
}

/* The parent-death signal is only worth something if the parent was alive after it was set. */
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

OP(capset)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ (u32)N(0), (u32)N(1), (u32)N(2) },
		{ (u32)((u64)N(0) >> 32), (u32)((u64)N(1) >> 32), (u32)((u64)N(2) >> 32) },
	};

	return SYS(capset, &header, data);
}

OP(setgroups)
{
	if (LEN(0) % 4)
		return -EBADMSG;
	return SYS(setgroups, LEN(0) / 4, S(0));
}

/*
 * An id, or -1, which leaves it what it is. The kernel looks at 32 bits: more of them would make 0 of 2^32, and no change of the last,
 * and leave the process root.
 */
static int is_id(s64 id)
{
	return id >= -1 && id < 0xffffffffLL;
}

OP(setresgid)
{
	if (!is_id(N(0)) || !is_id(N(1)) || !is_id(N(2)))
		return -EINVAL;
	return SYS(setresgid, N(0), N(1), N(2));
}

OP(setresuid)
{
	if (!is_id(N(0)) || !is_id(N(1)) || !is_id(N(2)))
		return -EINVAL;
	return SYS(setresuid, N(0), N(1), N(2));
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

OP(setns)
{
	FD(fd, 0);
	return SYS(setns, fd, N(1));
}

OP(unshare)
{
	return SYS(unshare, N(0));
}

/*
 * Pipes that are stdin, stdout or stderr belong to who runs, who could not open /dev/stderr else. Nothing but pipes: what else
 * is there, such as /dev/null, is not the process's alone.
 */
OP(own_stdio)
{
	for (int fd = 0; fd < 3; fd++) {
		struct statx stat;

		if (SYS(statx, fd, "", AT_EMPTY_PATH, STATX_TYPE, &stat) < 0 || (stat.stx_mode & S_IFMT) != S_IFIFO)
			continue;
		/* Of a user namespace that knows its owner not: then it stays closed. */
		SYS(fchown, fd, N(0), N(1));
	}
	return 0;
}

/* Ids of a user namespace, as proc(5) has them in uid_map. */
static long write_map(int pid, const char *file, const struct bytes *map)
{
	char path[64];
	long fd, err;

	process_path(path, pid, file);
	fd = SYS(openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	/* All of it at once, or not at all. */
	err = SYS(write, fd, map->at, map->length);
	SYS(close, fd);
	return err < 0 ? err : 0;
}

/*
 * A user namespace that nobody is in, with the ids that it has: what mounts are mapped by, and what a
 * process may enter. Made by a child, for one's own cannot be left again; it ends when we have opened it.
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

/* A network namespace that nobody is in, of a user namespace (-1: of this process's). */
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

OP(seccomp)
{
	struct sock_fprog prog = {
		.len = (unsigned short)(LEN(0) / sizeof(struct sock_filter)),
		.filter = (struct sock_filter *)S(0),
	};

	if (!LEN(0) || LEN(0) % sizeof(struct sock_filter) || LEN(0) / sizeof(struct sock_filter) > 4096)
		return -EBADMSG;
	return SYS(seccomp, N(0), N(1), &prog);
}

OP(close_range)
{
	return SYS(close_range, N(0), N(1), N(2));
}

OP(dup3)
{
	FD(fd, 0);
	long err = SYS(dup3, fd, N(1), N(2));

	return err < 0 ? err : 0;
}

OP(socket)
{
	return slot_put(N(3), SYS(socket, N(0), N(1), N(2)));
}

/*
 * Compound: a request (netlink(7)), and what the kernel says of it, up to its acknowledgement. Each of its messages is data.
 */
OP(netlink)
{
	FD(fd, 0);
	char answer[8192] __attribute__((aligned(NLMSG_ALIGNTO)));
	long n = SYS(sendto, fd, S(0), LEN(0), 0, NULL, 0);

	while (n >= 0) {
		n = SYS(recvfrom, fd, answer, sizeof(answer), MSG_TRUNC, NULL, NULL);
		if (n > (long)sizeof(answer))
			return -EMSGSIZE;
		for (long at = 0; at + NLMSG_HDRLEN <= n;) {
			const struct nlmsghdr *message = (const void *)(answer + at);

			if (message->nlmsg_len < NLMSG_HDRLEN || message->nlmsg_len > n - at)
				return -EBADMSG;
			/* Both carry an error number, or 0. */
			if (message->nlmsg_type == NLMSG_ERROR || message->nlmsg_type == NLMSG_DONE)
				return message->nlmsg_len < NLMSG_HDRLEN + sizeof(int) ? 0 : *(const int *)(message + 1);
			reply_data(frame->index, message, message->nlmsg_len);
			at += NLMSG_ALIGN(message->nlmsg_len);
		}
	}
	return n;
}

/* The argument is a number, or bytes which the kernel reads from a copy of ours. */
OP(ioctl)
{
	FD(fd, 0);
	char argument[256];

	if (!S(0))
		return SYS(ioctl, fd, N(1), N(2));
	if (LEN(0) > sizeof(argument))
		return -EMSGSIZE;
	__builtin_memcpy(argument, S(0), LEN(0));
	return SYS(ioctl, fd, N(1), argument);
}

OP(umask)
{
	return SYS(umask, N(0));
}

/*
 * As many strings as execve(2) takes, both vectors and their ends: 6 MiB hold so many empty ones, with their pointers.
 * The vectors of the last execve stay for the next one of the same program: a search of PATH sends them once.
 */
#define VECTORS_MAX (6u * 1024 * 1024 / 9 + 3)
static const char *vectors[VECTORS_MAX];
static s64 kept_argc = -1, kept_envc = -1;

void execve_forget(void)
{
	kept_argc = kept_envc = -1;
}

/* Split a block of NUL-terminated strings into the vector that execve wants. */
static long vector(const struct bytes *block, s64 count, const char **out, size_t room)
{
	const char *at = block->at;
	u32 left = block->length;

	if (count < 0 || (u64)count >= room)
		return -E2BIG;
	for (s64 i = 0; i < count; i++) {
		u32 n = 0;

		while (n < left && at[n])
			n++;
		if (n == left)
			return -EBADMSG;
		out[i] = at;
		at += n + 1;
		left -= n + 1;
	}
	out[count] = NULL;
	return left ? -EBADMSG : 0;
}

/* Both vectors are new, or both are those of the execve before. */
static long take_vectors(const struct frame *frame)
{
	s64 argc = N(0), envc = N(1);
	long err;

	if (argc == -1 && envc == -1)
		return kept_argc < 0 || LEN(1) || LEN(2) ? -EINVAL : 0;
	execve_forget();
	err = vector(&frame->string[1], argc, vectors, VECTORS_MAX);
	if (!err)
		err = vector(&frame->string[2], envc, vectors + argc + 1, VECTORS_MAX - (size_t)argc - 1);
	if (err)
		return err;
	kept_argc = argc;
	kept_envc = envc;
	return 0;
}

OP(execve)
{
	long err = take_vectors(frame);

	if (err)
		return err;
	replies_flush();
	set_signal_mask(0);
	err = SYS(execve, S(0), vectors, vectors + kept_argc + 1);
	set_signal_mask(ALL_SIGNALS);
	return err;
}

/* Compound: procfs, cgroupfs and sysctl files want open, one write, close. */
OP(write_file)
{
	FD(dirfd, 0);
	long fd = SYS(openat, dirfd, S(0), N(1), N(2)), err, closed;

	if (fd < 0)
		return fd;
	err = write_all((int)fd, S(1), LEN(1));
	closed = SYS(close, fd);
	return err < 0 ? err : closed;
}

/* Compound: a file of the kernel's, which is short, as a DATA reply. */
OP(read_file)
{
	FD(dirfd, 0);
	char content[4096];
	long fd = SYS(openat, dirfd, S(0), O_RDONLY | O_CLOEXEC, 0), n;

	if (fd < 0)
		return fd;
	n = SYS(read, fd, content, sizeof(content));
	SYS(close, fd);
	if (n < 0)
		return n;
	reply_data(frame->index, content, (u32)n);
	return 0;
}

/* Compound: such a file, kept beyond the end of what it tells of. */
OP(copy_file)
{
	FD(dirfd, 0);
	char content[4096];
	long from = SYS(openat, dirfd, S(0), O_RDONLY | O_CLOEXEC, 0), to, n, err;

	if (from < 0)
		return from;
	n = SYS(read, from, content, sizeof(content));
	SYS(close, from);
	if (n < 0)
		return n;
	to = SYS(openat, dirfd, S(1), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (to < 0)
		return to;
	err = write_all((int)to, content, (size_t)n);
	n = SYS(close, to);
	return err < 0 ? err : n;
}

OP(pidfd_open)
{
	return slot_put(N(2), SYS(pidfd_open, N(0), N(1)));
}

/* Compound: a tree's size is not known before it is walked. A tree that is not there is fine. */
OP(rmtree)
{
	FD(dirfd, 0);
	return tree_remove(dirfd, S(0));
}

OP(walk)
{
	FD(dirfd, 0);
	return tree_walk(dirfd, S(0), frame->index, N(1));
}

/* Compound: a tree as a process in this mount namespace sees it. The second slot may be empty. */
OP(walk_seen)
{
	FD(dirfd, 0);
	return tree_walk_seen(dirfd, S(0), frame->index, slot_get(N(1)));
}

/* Compound: what an overlay's upper directory did to what is below the second slot; or how two whole trees differ. */
OP(compare)
{
	FD(upper, 0);
	FD(lower, 1);
	if (N(2) < PLAIN || N(2) > FILES)
		return -EINVAL;
	return tree_compare(upper, lower, (enum overlay)N(2), frame->index);
}

/* Compound: all that there is to know of one object. */
OP(statx)
{
	FD(dirfd, 0);
	return object_tell(dirfd, S(0), frame->index);
}

/* What a program says of an object, in the order of `Seen` in packages/syscall/src/seen.ts. */
struct seen {
	u64 ino, mode, uid, gid, size;
	s64 btime_sec, btime_nsec, mtime_sec, mtime_nsec, ctime_sec, ctime_nsec;
};

/* What of it has to be the same, beside the identity. */
#define SEEN_CONTENT 1  /* size and time of modification */
#define SEEN_METADATA 2 /* permissions and owner */
#define SEEN_CTIME 4    /* the time of change, which nobody can set */

/* Whether an object was made when the program says. Nobody knows where one of both is unknown: then that is no difference. */
static int is_born(const struct statx *st, s64 sec, s64 nsec)
{
	if (!(st->stx_mask & STATX_BTIME) || !(st->stx_btime.tv_sec || st->stx_btime.tv_nsec) || !(sec || nsec))
		return 1;
	return st->stx_btime.tv_sec == sec && st->stx_btime.tv_nsec == (u64)nsec;
}

/* Whether an object is the one that was seen: 0, -ESTALE, or why nobody knows. An empty path is the descriptor itself. */
static long expected(int dirfd, const char *path, const struct bytes *given, s64 what)
{
	struct seen seen;
	struct statx st;
	long err;

	if (given->length != sizeof(seen))
		return -EINVAL;
	__builtin_memcpy(&seen, given->at, sizeof(seen));
	err = SYS(statx, dirfd, path, AT_SYMLINK_NOFOLLOW | (path[0] ? 0 : AT_EMPTY_PATH), STATX_BASIC_STATS | STATX_BTIME, &st);
	if (err < 0)
		return err;
	if (st.stx_ino != seen.ino || (st.stx_mode & S_IFMT) != (seen.mode & S_IFMT))
		return -ESTALE;
	if (!is_born(&st, seen.btime_sec, seen.btime_nsec))
		return -ESTALE;
	if (what & SEEN_CONTENT && (st.stx_mtime.tv_sec != seen.mtime_sec || st.stx_mtime.tv_nsec != (u64)seen.mtime_nsec ||
				    ((st.stx_mode & S_IFMT) != S_IFDIR && st.stx_size != seen.size)))
		return -ESTALE;
	if (what & SEEN_METADATA && (st.stx_mode != seen.mode || st.stx_uid != seen.uid || st.stx_gid != seen.gid))
		return -ESTALE;
	if (what & SEEN_CTIME && (st.stx_ctime.tv_sec != seen.ctime_sec || st.stx_ctime.tv_nsec != (u64)seen.ctime_nsec))
		return -ESTALE;
	return 0;
}

/* An object must be the one that was seen. */
OP(expect)
{
	FD(dirfd, 0);
	return expected(dirfd, S(0), &frame->string[1], N(1));
}

/* Compound: rename an object if it is the one that was seen. */
OP(rename_seen)
{
	FD(from, 0);
	FD(to, 1);
	long err = expected(from, S(0), &frame->string[2], N(3));

	return err < 0 ? err : SYS(renameat2, from, S(0), to, S(1), N(2));
}

/*
 * What a descriptor refers to must be the object that was seen: its type, filesystem, inode and birth time, which nobody can
 * set. Zeros stand for an inode number or a birth time that the filesystem does not keep.
 */
OP(same_object)
{
	FD(fd, 0);
	struct statx st;
	long err = SYS(statx, fd, "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_TYPE | STATX_INO | STATX_BTIME, &st);

	if (err < 0)
		return err;
	if ((st.stx_mode & S_IFMT) != N(1) || st.stx_dev_major != N(2) || st.stx_dev_minor != N(3))
		return -ESTALE;
	if ((N(4) || N(5)) && (st.stx_ino >> 32 != (u64)N(4) || (st.stx_ino & 0xffffffff) != (u64)N(5)))
		return -ESTALE;
	return is_born(&st, N(6), N(7)) ? 0 : -ESTALE;
}

OP(copy_object)
{
	FD(from, 0);
	FD(to, 1);
	if (N(2) & ~(COPY_METADATA | COPY_MARKS | COPY_DIRECTORY | COPY_OTHER))
		return -EINVAL;
	return object_copy(from, S(0), to, S(1), (int)N(2));
}

/* Compound: a path inside a root which the container may have prepared against us. A file is not a directory. */
OP(mkpath)
{
	FD(root, 0);
	long fd = tree_make_path(root, S(0), N(1) != 0, (u32)N(2)), err;
	struct statx st;

	if (fd >= 0 && !N(1)) {
		err = SYS(statx, fd, "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_TYPE, &st);
		if (err == 0 && (st.stx_mode & S_IFMT) == S_IFDIR)
			err = -EISDIR;
		if (err < 0) {
			SYS(close, fd);
			return err;
		}
	}
	return slot_put(N(3), fd);
}

OP(keyctl)
{
	return SYS(keyctl, N(0), S(0), 0, 0, 0);
}

OP(on_exit)
{
	return exit_program_set(frame->string[0]);
}

/* Whether this process may do that with a file, by its real ids (faccessat2(2)). */
OP(faccessat)
{
	FD(dirfd, 0);
	return SYS(faccessat2, dirfd, S(0), N(1), N(2));
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

/* A socket of unix(7), by its path. */
OP(connect)
{
	FD(fd, 0);
	struct {
		u16 family;
		char path[108];
	} address = { .family = AF_UNIX };

	if (LEN(0) >= sizeof(address.path))
		return -ENAMETOOLONG;
	__builtin_memcpy(address.path, S(0), LEN(0));
	return SYS(connect, fd, &address, 2 + LEN(0) + 1);
}

/* Bytes, and a descriptor along with them (unix(7), SCM_RIGHTS). */
OP(send_fd)
{
	FD(fd, 0);
	FD(passed, 1);
	long n = send_descriptor(fd, S(0), LEN(0), passed);

	return n < 0 ? n : n == (long)LEN(0) ? 0 : -EMSGSIZE;
}

/* A descriptor that this process was started with, by its number: 4 is where replies go. */
OP(inherited)
{
	if (N(0) < REPLIES_FD)
		return -EINVAL;
	return slot_put(N(1), SYS(fcntl, N(0), F_DUPFD_CLOEXEC, 5));
}

/* From here on replies go elsewhere: who started this process does not wait for them any more. */
OP(reply_to)
{
	FD(fd, 0);
	long own = SYS(fcntl, fd, F_DUPFD_CLOEXEC, N(1));

	if (own < 0)
		return own;
	replies_to((int)own);
	return 0;
}

OP(pidfd_getfd)
{
	FD(fd, 0);
	return slot_put(N(3), SYS(pidfd_getfd, fd, N(1), N(2)));
}

OP(bpf_prog_load)
{
	static const char license[] = "Apache";
	struct {
		u32 type, count;
		u64 instructions, license;
		u32 log_level, log_size;
		u64 log;
		u32 kernel_version, flags;
		char name[16];
		u32 ifindex, attach_type;
	} attr = {
		.type = (u32)N(0),
		.count = LEN(0) / 8,
		.instructions = (u64)(uintptr_t)S(0),
		.license = (u64)(uintptr_t)license,
		.attach_type = (u32)N(1),
	};

	if (!LEN(0) || LEN(0) % 8)
		return -EBADMSG;
	return slot_put(N(2), SYS(bpf, 5 /* BPF_PROG_LOAD */, &attr, sizeof(attr)));
}

OP(bpf_prog_attach)
{
	FD(target, 0);
	FD(program, 1);
	struct {
		u32 target_fd, attach_bpf_fd, attach_type, flags, replaced;
	} attr = { (u32)target, (u32)program, (u32)N(2), (u32)N(3), 0 };

	return SYS(bpf, 8 /* BPF_PROG_ATTACH */, &attr, sizeof(attr));
}

/* Compound: nothing is mounted where a link of the container's leads. */
OP(landed)
{
	FD(root, 0);
	FD(fd, 1);
	return place_check(root, fd, S(0), N(2) != 0, &frame->string[1]);
}

/* Compound: what is to be hidden, or not to be written to, is. */
OP(covered)
{
	FD(root, 0);
	return place_covered(root, S(0), N(1) != 0);
}

OP(expect_type)
{
	FD(fd, 0);
	return place_type(fd, (u64)N(1));
}

struct op {
	struct shape shape;
	long (*run)(const struct frame *frame);
};

#define ENTRY(number, name, numbers, strings) [number] = { { #name, numbers, strings }, op_##name }

static const struct op table[] = {
	ENTRY(1, mount, 1, "ozoo"),
	ENTRY(2, umount2, 1, "z"),
	ENTRY(3, open_tree, 3, "z"),
	ENTRY(4, move_mount, 3, "zz"),
	ENTRY(5, mount_setattr, 6, "z"),
	ENTRY(6, fsopen, 2, "z"),
	ENTRY(7, fsconfig, 3, "oo"),
	ENTRY(8, fsmount, 4, ""),
	ENTRY(9, pivot_root, 0, "zz"),
	ENTRY(10, chdir, 0, "z"),
	ENTRY(11, fchdir, 1, ""),
	ENTRY(12, chroot, 0, "z"),
	ENTRY(13, mkdirat, 2, "z"),
	ENTRY(14, mknodat, 4, "z"),
	ENTRY(15, symlinkat, 1, "zz"),
	ENTRY(16, linkat, 3, "zz"),
	ENTRY(17, unlinkat, 2, "z"),
	ENTRY(18, renameat2, 3, "zz"),
	ENTRY(19, openat, 4, "z"),
	ENTRY(20, openat2, 5, "z"),
	ENTRY(21, write, 1, "b"),
	ENTRY(22, ftruncate, 2, ""),
	ENTRY(23, lseek, 3, ""),
	ENTRY(24, close, 1, ""),
	ENTRY(25, fchownat, 4, "z"),
	ENTRY(26, fchmod, 2, ""),
	ENTRY(27, fchmodat, 2, "z"),
	ENTRY(28, utimensat, 6, "o"),
	ENTRY(29, lsetxattr, 1, "zzb"),
	ENTRY(30, fsetxattr, 2, "zb"),
	ENTRY(31, fsync, 1, ""),
	ENTRY(32, syncfs, 1, ""),
	ENTRY(33, flock, 2, ""),
	ENTRY(34, sethostname, 0, "z"),
	ENTRY(35, setdomainname, 0, "z"),
	ENTRY(36, prctl, 5, ""),
	ENTRY(37, capset, 3, ""),
	ENTRY(38, setgroups, 0, "b"),
	ENTRY(39, setresgid, 3, ""),
	ENTRY(40, setresuid, 3, ""),
	ENTRY(41, setrlimit, 3, ""),
	ENTRY(42, setsid, 0, ""),
	ENTRY(43, setns, 2, ""),
	ENTRY(44, unshare, 1, ""),
	ENTRY(45, seccomp, 2, "b"),
	ENTRY(46, close_range, 3, ""),
	ENTRY(47, dup3, 3, ""),
	ENTRY(48, socket, 4, ""),
	ENTRY(49, ioctl, 3, "n"),
	ENTRY(50, umask, 1, ""),
	ENTRY(51, execve, 2, "zbb"),
	ENTRY(52, clone, 3, "p"),
	ENTRY(53, write_file, 3, "zb"),
	ENTRY(54, rmtree, 1, "z"),
	ENTRY(55, walk, 2, "z"),
	ENTRY(56, mkpath, 4, "z"),
	ENTRY(57, pty, 7, ""),
	ENTRY(58, wait, 0, ""),
	ENTRY(59, init, 1, ""),
	ENTRY(60, on_exit, 0, "p"),
	ENTRY(61, read_file, 1, "z"),
	ENTRY(62, keyctl, 1, "o"),
	ENTRY(63, pidfd_open, 3, ""),
	ENTRY(64, supervise, 7, "bb"),
	ENTRY(65, copy_file, 1, "zz"),
	ENTRY(66, compare, 3, ""),
	ENTRY(67, copy_object, 3, "zz"),
	ENTRY(68, statx, 1, "z"),
	ENTRY(69, expect, 2, "zb"),
	ENTRY(70, faccessat, 3, "z"),
	ENTRY(71, personality, 1, ""),
	ENTRY(72, sched_setattr, 7, ""),
	ENTRY(73, ioprio_set, 3, ""),
	ENTRY(74, sched_setaffinity, 0, "b"),
	ENTRY(75, set_mempolicy, 1, "b"),
	ENTRY(76, connect, 1, "z"),
	ENTRY(77, send_fd, 2, "b"),
	ENTRY(78, inherited, 2, ""),
	ENTRY(79, reply_to, 2, ""),
	ENTRY(80, pidfd_getfd, 4, ""),
	ENTRY(81, bpf_prog_load, 3, "b"),
	ENTRY(82, bpf_prog_attach, 4, ""),
	ENTRY(83, userns, 1, "bb"),
	ENTRY(84, own_stdio, 2, ""),
	ENTRY(85, netlink, 1, "b"),
	ENTRY(86, serve, 1, "p"),
	ENTRY(87, end_served, 1, ""),
	ENTRY(88, await_served, 2, ""),
	ENTRY(89, netns, 2, ""),
	ENTRY(95, rename_seen, 4, "zzb"),
	ENTRY(93, attempt, 0, "p"),
	ENTRY(100, landed, 3, "zb"),
	ENTRY(101, covered, 2, "z"),
	ENTRY(102, expect_type, 2, ""),
	ENTRY(103, walk_seen, 2, "z"),
	ENTRY(94, same_object, 8, ""),
	/* Orders to a monitor while its process runs; as an op in a program they are refused. */
	[200] = { { "signal", 1, "" }, NULL },
	[201] = { { "resize", 2, "" }, NULL },
	[202] = { { "go", 0, "p" }, NULL },
	[203] = { { "input", 0, "b" }, NULL },
	[204] = { { "stop", 1, "" }, NULL },
	[205] = { { "end_input", 0, "" }, NULL },
	[206] = { { "watch", 1, "" }, NULL },
	[207] = { { "leave", 0, "" }, NULL },
	[208] = { { "foreground", 0, "" }, NULL },
};

const struct shape *shape_of(u16 opcode)
{
	if (opcode >= sizeof(table) / sizeof(table[0]) || !table[opcode].shape.name)
		return NULL;
	return &table[opcode].shape;
}

long op_run(const struct frame *frame)
{
	return table[frame->opcode].run ? table[frame->opcode].run(frame) : -ENOSYS;
}
