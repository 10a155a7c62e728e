/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks of where mounts go. Links, other mounts and races decide where a path leads. These functions check a descriptor,
 * which stays the same object, before something is mounted there and afterwards.
 */
#include "base/kernel.h"
#include "base/text.h"
#include "tree/tree.h"
#include <linux/fcntl.h>
#include <linux/openat2.h>

/* The flag of statfs(2), and the offsets of the fields in its struct; both architectures have 64-bit words. */
#define ST_RDONLY 1
#define STATFS_TYPE 0
#define STATFS_FLAGS 10

/*
 * Writes the path of a descriptor, as the root of this process has it, to `at`, which has room for PATH_MAX bytes. The
 * kernel derives it from mounts and directories, not from the names by which the descriptor was opened.
 */
static long path_of(int fd, char *at)
{
	char link[32];
	long n;

	descriptor_path(link, fd);
	n = SYS(readlinkat, AT_FDCWD, link, at, 4096);
	if (n < 0)
		return n;
	if (n >= 4096)
		return -ENAMETOOLONG;
	/* A detached mount, or one outside of the root, has no path. */
	if (n == 0 || at[0] != '/')
		return -EXDEV;
	/* For the root itself the path is empty, so that what is below it begins with a slash. */
	if (n == 1)
		n = 0;
	at[n] = 0;
	return n;
}

/* Whether `at` is `directory` or below it; both are absolute. */
static int is_within(const char *at, const char *directory)
{
	while (*directory && *at == *directory)
		at++, directory++;
	return !*directory && (!*at || *at == '/');
}

long place_check(int root, int fd, const char *path, int exact, const struct bytes *outside)
{
	static char top[4097], at[4097];
	long length = path_of(root, top), err = path_of(fd, at);
	const char *place;

	if (length < 0)
		return length;
	if (err < 0)
		return err;
	if (!is_within(at, top))
		return -EXDEV;
	place = at + length;
	if (!*place)
		return -EBUSY;
	if (exact)
		return same_text(place, path) ? 0 : -ELOOP;
	for (u32 i = 0; i < outside->length; i++) {
		const char *each = outside->at + i;

		/* A byte string ends in a NUL too, so none of these is read beyond it. */
		if (is_within(place, each))
			return -EXDEV;
		while (i < outside->length && outside->at[i])
			i++;
	}
	return 0;
}

long place_covered(int root, const char *path, int readonly)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	long fd = openat2_again(root, path, &how), err;
	u64 info[32];
	struct statx st;

	/* A missing path shows nothing. */
	if (fd == -ENOENT || fd == -ENOTDIR)
		return 0;
	if (fd < 0)
		return fd;
	err = SYS(statx, fd, "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, 0, &st);
	if (err == 0 && !(st.stx_attributes & STATX_ATTR_MOUNT_ROOT))
		err = -ESTALE;
	if (err == 0 && readonly) {
		err = SYS(fstatfs, fd, info);
		if (err == 0 && !(info[STATFS_FLAGS] & ST_RDONLY))
			err = -ESTALE;
	}
	SYS(close, fd);
	return err;
}

long place_type(int fd, u64 type)
{
	u64 info[32];
	long err = SYS(fstatfs, fd, info);

	if (err < 0)
		return err;
	return info[STATFS_TYPE] == type ? 0 : -ESTALE;
}
