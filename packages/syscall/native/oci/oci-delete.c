/* SPDX-License-Identifier: Apache-2.0 */
/* Deletes a container. A step that fails leaves the rest to Node, which begins again: each step may be repeated. */
#include "base/text.h"
#include "oci/oci.h"
#include "tree/tree.h"
#include <linux/fcntl.h>
#include <linux/poll.h>
#include <linux/time_types.h>

#define SIGKILL 9
#define KILL_SECONDS 10
/* The kernel may still count processes for a moment after they ended. */
#define BUSY_TRIES 20
#define BUSY_NANOSECONDS 1000000

/* Kills the init and waits for its end. No process in its pid namespace outlives it. */
static bool kill_init(int init)
{
	struct pollfd ended = { init, POLLIN, 0 };
	struct __kernel_timespec patience = { KILL_SECONDS, 0 };
	long n;

	if (init < 0)
		return true;
	if (SYS(pidfd_send_signal, init, SIGKILL, 0, 0) < 0)
		return false;
	do
		n = SYS(ppoll, &ended, 1, &patience, 0, 0);
	while (n == -EINTR);
	return n > 0;
}

/* Removes a cgroup. Node removes one that has cgroups below it. */
static bool remove_cgroup(const char *path)
{
	struct __kernel_timespec pause = { 0, BUSY_NANOSECONDS };

	for (int tries = 0; tries < BUSY_TRIES; tries++) {
		long err = SYS(unlinkat, AT_FDCWD, path, AT_REMOVEDIR);
		struct statx stat;

		if (!err || err == -ENOENT)
			return true;
		/* A directory has a link of its parent, one of itself, and one of each directory in it. */
		if (err != -EBUSY || SYS(statx, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_NLINK, &stat) < 0 || stat.stx_nlink > 2)
			return false;
		SYS(nanosleep, &pause, 0);
	}
	return false;
}

static bool remove_cgroups(const struct oci_record *record)
{
	const u8 *at = record->cgroups;
	struct text path;

	while (at < record->end)
		if (!oci_next_text(&at, record->end, &path) || !remove_cgroup(path.at))
			return false;
	return true;
}

/* Whether a name is that of a directory which a command has begun to remove: no id contains '~'. */
static bool is_leftover(const char *name, const char *prefix)
{
	while (*prefix && *name == *prefix)
		name++, prefix++;
	return !*prefix;
}

/* Removes the container's directories, which were renamed first, so that others see all of a container or nothing. */
static bool remove_leftovers(int root, const char *prefix)
{
	static char entries[32768] __attribute__((aligned(8)));
	long n;

	SYS(lseek, root, 0, 0);
	while ((n = SYS(getdents64, root, entries, sizeof(entries))) > 0)
		for (long at = 0; at < n;) {
			const struct dirent64 *entry = (const struct dirent64 *)(entries + at);

			at += entry->reclen;
			if (is_leftover(entry->name, prefix) && tree_remove(root, entry->name) < 0)
				return false;
		}
	return !n;
}

static bool remove_directory(int root, const char *id)
{
	char renamed[OCI_ID_MAX + 16], *end = append(append(renamed, id), "~");
	long err;

	append_number(end, (int)SYS(getpid));
	err = SYS(renameat2, root, id, root, renamed, 0);
	if (err < 0 && err != -ENOENT)
		return false;
	*end = 0;
	return remove_leftovers(root, renamed);
}

bool oci_delete(int root, const struct oci_words *words)
{
	const char *id = words->argument[0];
	struct oci_container container;

	if (!oci_open(root, id, &container))
		return false;
	if (!(container.record.flags & OCI_DELETES)) {
		oci_close(&container);
		return false;
	}
	if (oci_lock(root, id, &container) < 0)
		return false;
	/* Node refuses a container that runs, and thaws one that is frozen. */
	if (container.status != OCI_STOPPED && (!words->force || container.frozen))
		return false;
	return kill_init(container.init) && remove_cgroups(&container.record) && remove_directory(root, id);
}
