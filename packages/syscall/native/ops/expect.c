/* SPDX-License-Identifier: Apache-2.0 */
/* Checks that an object, a mount or a path is still what the program saw or meant. */
#include "ops/op.h"
#include "tree/tree.h"
#include <linux/fcntl.h>

/* The snapshot of an object, in the order of `Seen` in packages/syscall/src/wire/seen.ts. */
struct seen {
	u64 ino, mode, uid, gid, size;
	s64 btime_sec, btime_nsec, mtime_sec, mtime_nsec, ctime_sec, ctime_nsec;
};

/* What must be the same beside the identity. */
#define SEEN_CONTENT 1  /* size and time of modification */
#define SEEN_METADATA 2 /* permissions and owner */
#define SEEN_CTIME 4    /* the time of change, which no call can set */

/* Returns whether the time of birth is the same. An unknown time on either side counts as the same. */
static int is_born(const struct statx *st, s64 sec, s64 nsec)
{
	if (!(st->stx_mask & STATX_BTIME) || !(st->stx_btime.tv_sec || st->stx_btime.tv_nsec) || !(sec || nsec))
		return 1;
	return st->stx_btime.tv_sec == sec && st->stx_btime.tv_nsec == (u64)nsec;
}

/* Returns 0 if an object is the one that was seen, -ESTALE if not, or another error. An empty path is the descriptor. */
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

/* Fails unless an object is the one that was seen. */
OP(expect)
{
	FD(dirfd, 0);
	return expected(dirfd, S(0), &frame->string[1], N(1));
}

/* Compound: renames an object if it is the one that was seen. */
OP(rename_seen)
{
	FD(from, 0);
	FD(to, 1);
	long err = expected(from, S(0), &frame->string[2], N(3));

	return err < 0 ? err : SYS(renameat2, from, S(0), to, S(1), N(2));
}

/*
 * Fails unless a descriptor refers to the object that was seen: type, filesystem, inode and time of birth. Zeros mean
 * that the filesystem does not keep the inode number or the time of birth.
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

/* Compound: checks where a descriptor is, so that no link of the container redirects a mount. */
OP(landed)
{
	FD(root, 0);
	FD(fd, 1);
	return place_check(root, fd, S(0), N(2) != 0, &frame->string[1]);
}

/* Compound: checks that a path is hidden, or read-only. */
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
