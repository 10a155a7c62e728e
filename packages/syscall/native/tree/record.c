/* SPDX-License-Identifier: Apache-2.0 */
#include "tree/record.h"
#include <linux/fcntl.h>

/* The number of a closed descriptor may soon belong to another directory, so closing it sets this to -1. */
int here;

/* Numbers, then path, link target and xattrs as counted strings; twice for a comparison. */
struct record record;

/* Inlined, so that copies of constant size are one instruction: a walk makes some twenty for each object. */
static inline __attribute__((always_inline)) void put_bytes(const void *data, u32 length)
{
	if (record.length + length > sizeof(record.at)) {
		record.overflow = 1;
		return;
	}
	__builtin_memcpy(record.at + record.length, data, length);
	record.length += length;
}

void put64(u64 value)
{
	put_bytes(&value, 8);
}

static void put_counted(const void *data, u32 length)
{
	put_bytes(&length, 4);
	put_bytes(data, length);
}

void begin_record(void)
{
	record.length = 0;
	record.overflow = 0;
}

char walk_path[64 * 1024];

/*
 * Attributes are read by name in the working directory: llistxattr takes no dirfd, and opening each object costs more
 * than everything else.
 */
static long go_to(int fd)
{
	long err = here == fd ? 0 : SYS(fchdir, fd);

	if (!err)
		here = fd;
	return err;
}

static long put_xattrs(int dirfd, const char *name)
{
	static char list[65536], value[65536];
	u32 count = 0, count_at = record.length;
	long n = go_to(dirfd);

	put_bytes(&count, 4);
	if (n < 0)
		return n;
	if (!name[0])
		name = ".";
	n = SYS(llistxattr, name, list, sizeof(list));
	for (long i = 0; n > 0 && i < n;) {
		u32 length = 0;
		long got;

		while (list[i + length])
			length++;
		got = SYS(lgetxattr, name, list + i, value, sizeof(value));
		if (got >= 0) {
			put_counted(list + i, length);
			put_counted(value, (u32)got);
			count++;
		}
		i += length + 1;
	}
	if (!record.overflow)
		__builtin_memcpy(record.at + count_at, &count, 4);
	return 0;
}

long look(int dirfd, const char *name, struct statx *st)
{
	return SYS(statx, dirfd, name, AT_SYMLINK_NOFOLLOW | (name[0] ? 0 : AT_EMPTY_PATH), STATX_BASIC_STATS | STATX_BTIME, st);
}

long put_object(int dirfd, const char *name, const struct statx *st, u32 path_length)
{
	static char target[4096];
	long n = 0;

	put64(st->stx_mode);
	put64(st->stx_uid);
	put64(st->stx_gid);
	put64(st->stx_nlink);
	put64(st->stx_ino);
	put64(st->stx_size);
	put64(st->stx_blocks);
	put64((u64)st->stx_mtime.tv_sec);
	put64(st->stx_mtime.tv_nsec);
	put64(st->stx_rdev_major);
	put64(st->stx_rdev_minor);
	put64(st->stx_dev_major);
	put64(st->stx_dev_minor);
	put64((u64)st->stx_ctime.tv_sec);
	put64(st->stx_ctime.tv_nsec);
	/* Zero if the filesystem does not keep it. */
	put64(st->stx_mask & STATX_BTIME ? (u64)st->stx_btime.tv_sec : 0);
	put64(st->stx_mask & STATX_BTIME ? st->stx_btime.tv_nsec : 0);
	put_counted(walk_path, path_length);
	if ((st->stx_mode & S_IFMT) == S_IFLNK) {
		n = SYS(readlinkat, dirfd, name, target, sizeof(target));
		if (n < 0)
			return n == -EINVAL ? -ENOENT : n; /* it is not a link any more */
	}
	put_counted(target, (u32)n);
	n = put_xattrs(dirfd, name);
	return n < 0 ? n : record.overflow ? -EOVERFLOW : 0;
}
