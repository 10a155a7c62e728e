/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and making paths that links and mounts cannot lead astray. */
#include "base/kernel.h"
#include "tree/tree.h"
#include <linux/fcntl.h>
#include <linux/openat2.h>

int is_dot(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

/*
 * A scoped lookup (RESOLVE_IN_ROOT, RESOLVE_BENEATH) that meets ".." fails with EAGAIN if anything on the machine was
 * renamed or mounted meanwhile; openat2(2) says to try again. The limit is about a tenth of a second. No other call
 * is made in between, because the seccomp filter may be set already.
 */
#define OPENAT2_TRIES 100000

long openat2_again(int dirfd, const char *path, const struct open_how *how)
{
	long fd = -EAGAIN;

	for (int tries = 0; fd == -EAGAIN && tries < OPENAT2_TRIES; tries++)
		fd = SYS(openat2, dirfd, path, how, sizeof(*how));
	return fd;
}

long directory_below(int dirfd, const char *name)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS,
	};

	return openat2_again(dirfd, name, &how);
}

long directory_top(int dirfd, const char *path)
{
	struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };

	return openat2_again(dirfd, path, &how);
}

static long open_in_root(int root, const char *path, u64 flags)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC | flags,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};

	return openat2_again(root, path, &how);
}

long tree_make_path(int root, const char *path, int directory, u32 mode)
{
	static char prefix[4096];
	long fd = open_in_root(root, path, directory ? O_DIRECTORY : 0), parent;
	size_t at = 0;

	if (fd != -ENOENT)
		return fd;
	parent = open_in_root(root, ".", O_DIRECTORY);
	while (parent >= 0) {
		size_t name;
		int last;

		while (path[at] == '/' && at < sizeof(prefix))
			prefix[at] = '/', at++;
		name = at;
		while (path[at] && path[at] != '/' && at < sizeof(prefix) - 1)
			prefix[at] = path[at], at++;
		if (at >= sizeof(prefix) - 1) {
			SYS(close, parent);
			return -ENAMETOOLONG;
		}
		prefix[at] = 0;
		last = !path[at];
		fd = open_in_root(root, prefix, last && !directory ? 0 : O_DIRECTORY);
		if (fd == -ENOENT) {
			/* EEXIST here means a dangling link, which cannot be a mount point. */
			long err = last && !directory
				? SYS(mknodat, parent, prefix + name, S_IFREG | mode, 0)
				: SYS(mkdirat, parent, prefix + name, directory ? mode : 0755);

			if (err < 0) {
				SYS(close, parent);
				return err == -EEXIST ? -ENOENT : err;
			}
			fd = open_in_root(root, prefix, last && !directory ? 0 : O_DIRECTORY);
		}
		SYS(close, parent);
		if (last || fd < 0)
			return fd;
		parent = fd;
	}
	return parent;
}
