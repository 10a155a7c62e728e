/* SPDX-License-Identifier: Apache-2.0 */
/* Removal of trees. */
#include "base/kernel.h"
#include "tree/tree.h"
#include <linux/fcntl.h>
#include <linux/openat2.h>

/* Levels that are open at once. Deeper directories are first moved to the top. */
#define LEVELS 48

struct level {
	int fd;
	int at, end; /* the window of `entries` not yet looked at */
	char entries[4096] __attribute__((aligned(8)));
};

static struct level levels[LEVELS];

/* Returns the next entry of a level, NULL at the end. `*err` is set if reading failed. */
static const struct dirent64 *next_entry(struct level *level, long *err)
{
	for (;;) {
		const struct dirent64 *entry;

		if (level->at >= level->end) {
			long n = SYS(getdents64, level->fd, level->entries, sizeof(level->entries));

			if (n <= 0) {
				*err = n;
				return NULL;
			}
			level->at = 0;
			level->end = (int)n;
		}
		entry = (const struct dirent64 *)(level->entries + level->at);
		level->at += entry->reclen;
		if (!is_dot(entry->name))
			return entry;
	}
}

static long open_level(int dirfd, const char *name, struct level *level)
{
	long fd = directory_below(dirfd, name);

	if (fd >= 0) {
		level->fd = (int)fd;
		level->at = level->end = 0;
		return 0;
	}
	return fd;
}

/* The mode bits may deny access to an ordinary user who owns the directory. */
static long open_level_forced(int dirfd, const char *name, struct level *level)
{
	long err = open_level(dirfd, name, level);

	if (err != -EACCES || SYS(fchmodat, dirfd, name, 0700) < 0)
		return err;
	return open_level(dirfd, name, level);
}

static long remove_entry(struct level *level, const struct dirent64 *entry)
{
	/* Overlayfs reports 8 (DT_REG) or 4 (DT_DIR) too; a wrong type costs one more call. */
	int flags = entry->type == 4 ? AT_REMOVEDIR : 0;
	long err = SYS(unlinkat, level->fd, entry->name, flags);

	if (err == -EISDIR || err == -EPERM || err == -ENOTDIR) {
		long other = SYS(unlinkat, level->fd, entry->name, flags ^ AT_REMOVEDIR);

		if (other != -ENOTDIR)
			err = other;
	}
	/* The directory denies this; its owner may change its mode. */
	if (err == -EACCES && SYS(fchmod, level->fd, 0700) == 0)
		err = SYS(unlinkat, level->fd, entry->name, flags);
	return err == -ENOENT ? 0 : err;
}

static void unique_name(char *out, u32 serial)
{
	static const char prefix[] = ".lamella-rmtree-";
	u32 i = sizeof(prefix) - 1;

	__builtin_memcpy(out, prefix, i);
	for (int shift = 28; shift >= 0; shift -= 4)
		out[i++] = "0123456789abcdef"[serial >> shift & 15];
	out[i] = 0;
}

/* Empties the directory of levels[0]. */
static long remove_contents(void)
{
	static u32 serial;
	int depth = 0, again = 0;
	/* The name of each open level in the one above it. */
	static char names[LEVELS][256];

	for (;;) {
		struct level *level = &levels[depth];
		long err = 0;
		const struct dirent64 *entry = next_entry(level, &err);

		if (!entry && err < 0)
			goto fail;
		if (!entry) {
			if (depth == 0)
				return 0;
			SYS(close, level->fd);
			depth--;
			err = SYS(unlinkat, levels[depth].fd, names[depth + 1], AT_REMOVEDIR);
			/* A filesystem may skip names while others are removed, so this reads again. */
			if (err == -ENOTEMPTY && again++ < 1000) {
				err = open_level(levels[depth].fd, names[depth + 1], &levels[depth + 1]);
				if (!err)
					depth++;
			}
			if (err < 0 && err != -ENOENT)
				goto fail;
			continue;
		}
		err = remove_entry(level, entry);
		if (!err)
			continue;
		if (err != -ENOTEMPTY && err != -EEXIST)
			goto fail;
		if (depth + 1 == LEVELS) {
			char name[32];

			unique_name(name, serial++);
			err = SYS(renameat2, level->fd, entry->name, levels[0].fd, name, 0);
			if (err < 0)
				goto fail;
			/* The top is read again from its start later. */
			SYS(lseek, levels[0].fd, 0, 0);
			levels[0].at = levels[0].end = 0;
			continue;
		}
		{
			size_t n = 0;

			while (entry->name[n] && n < sizeof(names[0]) - 1)
				n++;
			__builtin_memcpy(names[depth + 1], entry->name, n);
			names[depth + 1][n] = 0;
		}
		err = open_level_forced(level->fd, entry->name, &levels[depth + 1]);
		if (err == -ENOENT)
			continue;
		if (err < 0)
			goto fail;
		depth++;
		continue;
fail:
		for (; depth > 0; depth--)
			SYS(close, levels[depth].fd);
		return err == -EXDEV ? -EBUSY : err;
	}
}

static long open_top(int dirfd, const char *path)
{
	long fd = directory_top(dirfd, path);

	if (fd < 0)
		return fd;
	levels[0].fd = (int)fd;
	levels[0].at = levels[0].end = 0;
	return 0;
}

long tree_remove(int dirfd, const char *path)
{
	long err = SYS(unlinkat, dirfd, path, 0);

	if (err == 0 || err == -ENOENT)
		return 0;
	if (err != -EISDIR && err != -EPERM)
		return err;
	err = SYS(unlinkat, dirfd, path, AT_REMOVEDIR);
	if (err != -ENOTEMPTY && err != -EEXIST)
		return err == -ENOENT ? 0 : err;
	err = open_top(dirfd, path);
	if (err == -EACCES && SYS(fchmodat, dirfd, path, 0700) == 0)
		err = open_top(dirfd, path);
	if (err < 0)
		return err;
	err = remove_contents();
	SYS(close, levels[0].fd);
	if (err < 0)
		return err;
	err = SYS(unlinkat, dirfd, path, AT_REMOVEDIR);
	return err == -ENOENT ? 0 : err;
}
