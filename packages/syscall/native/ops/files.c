/* SPDX-License-Identifier: Apache-2.0 */
/* Files: made, removed, linked, opened and written. */
#include "ops/op.h"
#include "base/send.h"
#include "tree/tree.h"
#include "wire/reply.h"
#include <linux/fcntl.h>
#include <linux/openat2.h>

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

/* Returns whether to try again: the program asked for replacement, and the old object was removed. */
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
	/* The link exists already; removing it would lose the file. */
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

/* Compound: opens, writes once and closes, for files of procfs, sysctl and cgroups. */
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

/* Compound: reports a short file of the kernel as a DATA reply. */
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

/* Compound: copies such a file, which disappears together with its subject. */
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
