/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where mounts go. A path says where something is meant to be; links, other mounts and somebody who is quicker decide
 * where it is. These look at a descriptor, which stays what it is, before anything is mounted there and afterwards.
 */
#include "base/kernel.h"
#include "base/text.h"
#include "tree/tree.h"
#include <linux/fcntl.h>
#include <linux/openat2.h>

/* The flag of statfs(2), and where the kernel's struct has what we read; both architectures have 64-bit words. */
#define ST_RDONLY 1
#define STATFS_TYPE 0
#define STATFS_FLAGS 10

/*
 * The path of a descriptor as this process's root has it, in `at`, which has room for PATH_MAX bytes. The kernel makes it
 * of the mounts and directories that the descriptor is in, and not of the names by which it was opened.
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
	/* A detached mount, or one outside of our root, has no path: nobody knows where it is. */
	if (n == 0 || at[0] != '/')
		return -EXDEV;
	/* Of the root of everything nothing is to be left before the slash of what is below it. */
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

		/* What ends a list of bytes is a NUL, too: none of these is read beyond it. */
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

	/* What is not there shows nothing. */
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
