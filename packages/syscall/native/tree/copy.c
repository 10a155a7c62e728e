/* SPDX-License-Identifier: Apache-2.0 */
/* Compound op: copies one object with all its metadata, with or without overlay marks. */
#include "base/kernel.h"
#include "base/text.h"
#include "tree/tree.h"
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/time_types.h>

static int starts(const char *text, const char *prefix)
{
	while (*prefix)
		if (*text++ != *prefix++)
			return 0;
	return 1;
}

/* The lists of marks.def, each with a NULL at its end. */
#define MARK(name, text, doc)
#define OWN_ATTRIBUTE(prefix) prefix,
#define FOREIGN_ATTRIBUTE(prefix)
#define OVERLAY_ATTRIBUTE(prefix)
static const char *const own[] = {
#include "tree/marks.def"
	NULL,
};
#undef OWN_ATTRIBUTE
#undef FOREIGN_ATTRIBUTE
#define OWN_ATTRIBUTE(prefix)
#define FOREIGN_ATTRIBUTE(prefix) prefix,
static const char *const foreign[] = {
#include "tree/marks.def"
	NULL,
};
#undef FOREIGN_ATTRIBUTE
#undef OVERLAY_ATTRIBUTE
#define FOREIGN_ATTRIBUTE(prefix)
#define OVERLAY_ATTRIBUTE(prefix) prefix,
static const char *const overlay[] = {
#include "tree/marks.def"
	NULL,
};

static int starts_any(const char *name, const char *const *prefixes)
{
	for (; *prefixes; prefixes++)
		if (starts(name, *prefixes))
			return 1;
	return 0;
}

/* Returns whether an attribute is left out. With `marks` those of overlayfs are copied. */
static int is_left(const char *name, int marks)
{
	return !starts_any(name, own) || starts_any(name, foreign) || (!marks && starts_any(name, overlay));
}

static int listed(const char *list, long length, const char *name)
{
	for (long i = 0; i < length; i++) {
		if (same_text(list + i, name))
			return 1;
		while (list[i])
			i++;
	}
	return 0;
}

/* Copies the attributes of one object to another, and removes those that only the target has. */
static long copy_xattrs(const char *from, const char *to, int marks)
{
	static char list[65536], other[65536], value[65536];
	long n = SYS(listxattr, from, list, sizeof(list)), m, err;

	if (n == -EOPNOTSUPP)
		n = 0;
	if (n < 0)
		return n;
	m = SYS(listxattr, to, other, sizeof(other));
	for (long i = 0; i < m; i++) {
		if (!is_left(other + i, marks) && !listed(list, n, other + i)) {
			err = SYS(removexattr, to, other + i);
			if (err < 0 && err != -ENODATA)
				return err;
		}
		while (other[i])
			i++;
	}
	for (long i = 0; i < n; i++) {
		if (!is_left(list + i, marks)) {
			long got = SYS(getxattr, from, list + i, value, sizeof(value));

			if (got < 0 && got != -ENODATA)
				return got;
			err = got < 0 ? 0 : SYS(setxattr, to, list + i, value, got, 0);
			if (err < 0)
				return err;
		}
		while (list[i])
			i++;
	}
	return 0;
}

/* Copies owner, mode, attributes and times, in an order in which none resets another. */
static long copy_metadata(int from, int to, const struct statx *st, int marks)
{
	char source[32], target[32];
	struct __kernel_timespec times[2] = {
		{ st->stx_atime.tv_sec, st->stx_atime.tv_nsec },
		{ st->stx_mtime.tv_sec, st->stx_mtime.tv_nsec },
	};
	long err = SYS(fchownat, to, "", st->stx_uid, st->stx_gid, AT_EMPTY_PATH);

	descriptor_path(source, from);
	descriptor_path(target, to);
	if (!err && (st->stx_mode & S_IFMT) != S_IFLNK)
		err = SYS(fchmodat, AT_FDCWD, target, st->stx_mode & 07777);
	if (!err)
		err = copy_xattrs(source, target, marks);
	/* Through procfs: utimensat on an O_PATH descriptor requires a newer kernel than ours. */
	return err ? err : SYS(utimensat, AT_FDCWD, target, times, 0);
}

static long copy_range(int from, int to, s64 at, s64 end)
{
	static char chunk[65536];

	while (at < end) {
		s64 in = at, out = at;
		long n = SYS(copy_file_range, from, &in, to, &out, (size_t)(end - at), 0), m;

		if (n == -EINTR)
			continue;
		if (n == -EXDEV || n == -EINVAL || n == -ENOSYS || n == -EOPNOTSUPP || n == -EPERM) {
			n = SYS(pread64, from, chunk, end - at < (s64)sizeof(chunk) ? (size_t)(end - at) : sizeof(chunk), at);
			for (long done = 0; n > 0 && done < n; done += m) {
				m = SYS(pwrite64, to, chunk + done, (size_t)(n - done), at + done);
				if (m == -EINTR)
					m = 0;
				if (m < 0)
					return m;
			}
		}
		if (n < 0)
			return n;
		if (!n) /* the file was truncated meanwhile */
			return 0;
		at += n;
	}
	return 0;
}

/* `source` is an O_PATH descriptor; the name may belong to another object by now. */
static long copy_content(int source, int to, const struct statx *st)
{
	char path[32];
	long from, err;
	s64 at = 0, size = (s64)st->stx_size;

	descriptor_path(path, source);
	from = SYS(openat, AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0);
	if (from < 0)
		return from;
	err = SYS(ioctl, to, FICLONE, from);
	if (err < 0) {
		err = SYS(ftruncate, to, size);
		while (!err && at < size) {
			s64 data = SYS(lseek, from, at, 3 /* SEEK_DATA */), hole;

			if (data == -ENXIO)
				break;
			if (data == -EINVAL)
				data = at;
			hole = data < 0 ? data : SYS(lseek, from, data, 4 /* SEEK_HOLE */);
			if (hole == -EINVAL)
				hole = size;
			err = hole < 0 ? hole : copy_range((int)from, to, data, hole < size ? hole : size);
			at = hole;
		}
	}
	SYS(close, from);
	return err;
}

/* Metadata is copied between objects of one type: -ESTALE if the type changed meanwhile. */
static long of_type(int fd, u32 type)
{
	struct statx st;
	long err = SYS(statx, fd, "", AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, STATX_TYPE, &st);

	return err ? err : (st.stx_mode & S_IFMT) == type ? 0 : -ESTALE;
}

/*
 * Copies a directory without its content. With COPY_METADATA the new name exists and keeps its content. With COPY_MARKS
 * overlay marks are copied too. COPY_DIRECTORY copies only directories, COPY_OTHER no directories. Nothing is synced:
 * the caller calls syncfs once for all copies.
 */
long object_copy(int olddir, const char *oldname, int newdir, const char *newname, int how)
{
	struct statx st;
	char target[4096];
	u32 type;
	long from = SYS(openat, olddir, oldname, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0), to = -1, file = -1, err, n;
	int made = 0;

	if (from < 0)
		return from;
	err = SYS(statx, from, "", AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, STATX_BASIC_STATS, &st);
	type = st.stx_mode & S_IFMT;
	if (!err && how & (type == S_IFDIR ? COPY_OTHER : COPY_DIRECTORY))
		err = -ESTALE;
	if (err || how & COPY_METADATA)
		;
	else if (type == S_IFDIR)
		err = SYS(mkdirat, newdir, newname, 0700);
	else if (type == S_IFLNK) {
		n = SYS(readlinkat, from, "", target, sizeof(target) - 1);
		target[n < 0 ? 0 : n] = 0;
		err = n < 0 ? n : SYS(symlinkat, target, newdir, newname);
	} else if (type == S_IFREG) {
		file = SYS(openat, newdir, newname, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		err = file < 0 ? file : copy_content((int)from, (int)file, &st);
	} else {
		u64 major = st.stx_rdev_major, minor = st.stx_rdev_minor;

		err = SYS(mknodat, newdir, newname, type | 0600, (minor & 0xff) | (major << 8) | ((minor & ~0xffULL) << 12));
	}
	made = !err && !(how & COPY_METADATA);
	if (!err) {
		to = SYS(openat, newdir, newname, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
		err = to < 0 ? to : of_type((int)to, type);
		if (!err)
			err = copy_metadata((int)from, (int)to, &st, how & COPY_MARKS);
	}
	/* An incomplete copy must not remain. */
	if (err && (made || file >= 0))
		SYS(unlinkat, newdir, newname, type == S_IFDIR ? AT_REMOVEDIR : 0);
	if (file >= 0)
		SYS(close, file);
	if (to >= 0)
		SYS(close, to);
	SYS(close, from);
	return err;
}
