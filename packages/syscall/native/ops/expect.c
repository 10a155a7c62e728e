/* SPDX-License-Identifier: Apache-2.0 */
/* Checks that an object, a mount or a path is still what the program saw or meant. */
#include "ops/op.h"
#include "tree/tree.h"
#include <linux/fcntl.h>

/* What a program says of an object, in the order of `Seen` in packages/syscall/src/wire/seen.ts. */
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
