/* SPDX-License-Identifier: Apache-2.0 */
#include "launch/store.h"
#include "base/kernel.h"
#include "base/text.h"
#include <linux/fcntl.h>

#define PATH_LENGTH 4096
#define NAME_LENGTH 256
#define LOCKS_MAX (256 * 1024)

int join_path(char *into, size_t room, const char *const *parts, int count)
{
	size_t length = 0;

	for (int i = 0; i < count; i++)
		for (const char *at = parts[i]; *at; at++) {
			if (length + 1 >= room)
				return 0;
			into[length++] = *at;
		}
	into[length] = 0;
	return 1;
}

static int open_in(const char *root, const char *name)
{
	static char path[PATH_LENGTH];
	const char *parts[] = { root, "/", name };

	if (!join_path(path, sizeof(path), parts, 3))
		return -ENAMETOOLONG;
	return (int)SYS(openat, AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
}

/*
 * Calls `each` for the names in a directory, except `.` and `..`, until one returns 0. Returns whether all returned 1.
 * A directory that is not there has no names. Closes the directory.
 */
static int all_names(int fd, int (*each)(int fd, const char *name))
{
	static u8 entries[32768];
	long n = 0;
	int all = 1;

	if (fd < 0)
		return fd == -ENOENT;
	while (all && (n = SYS(getdents64, fd, entries, sizeof(entries))) > 0)
		for (long at = 0; all && at < n; at += ((struct dirent64 *)(entries + at))->reclen) {
			const char *name = ((struct dirent64 *)(entries + at))->name;

			if (name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2])))
				continue;
			all = each(fd, name);
		}
	SYS(close, fd);
	return all && n == 0;
}

static int never(int fd, const char *name)
{
	(void)fd, (void)name;
	return 0;
}

/* A layer that is being unpacked has a name that begins with a dot. */
static int is_no_temporary(int fd, const char *name)
{
	(void)fd;
	return name[0] != '.';
}

static int exists_in(int fd, const char *directory, const char *file, struct statx *about)
{
	char path[NAME_LENGTH + 16];
	const char *parts[] = { directory, "/", file };

	return join_path(path, sizeof(path), parts, 3) && SYS(statx, fd, path, 0, STATX_BASIC_STATS, about) == 0;
}

static char *append_hex(char *at, u32 value)
{
	static const char digits[] = "0123456789abcdef";

	*at++ = digits[value >> 4 & 15];
	*at++ = digits[value & 15];
	return at;
}

static char *append_decimal(char *at, u64 value)
{
	char digits[20];
	int count = 0;

	for (; count == 0 || value; value /= 10)
		digits[count++] = (char)('0' + value % 10);
	while (count)
		*at++ = digits[--count];
	return at;
}

/* The words of proc_locks(5) for a file: ` MAJOR:MINOR:INODE `. Returns 0 for numbers that are written in another way. */
static int lock_words(char *at, const struct statx *about)
{
	if (about->stx_dev_major > 255 || about->stx_dev_minor > 255)
		return 0;
	*at++ = ' ';
	at = append_hex(at, about->stx_dev_major);
	*at++ = ':';
	at = append_hex(at, about->stx_dev_minor);
	*at++ = ':';
	at = append_decimal(at, about->stx_ino);
	*at++ = ' ';
	*at = 0;
	return 1;
}

/* The text of /proc/locks, read once. Returns NULL if it is too long to be looked through here. */
static const char *held_locks(void)
{
	static char text[LOCKS_MAX];
	static int known;
	long length = 0, n, fd;

	if (known)
		return text;
	fd = SYS(openat, AT_FDCWD, "/proc/locks", O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return NULL;
	while ((n = SYS(read, fd, text + length, LOCKS_MAX - 1 - length)) > 0)
		length += n;
	SYS(close, fd);
	if (n < 0 || length >= LOCKS_MAX - 1)
		return NULL;
	text[length] = 0;
	known = 1;
	return text;
}

static int contains(const char *text, const char *wanted)
{
	for (; *text; text++) {
		const char *a = text, *b = wanted;

		while (*b && *a == *b)
			a++, b++;
		if (!*b)
			return 1;
	}
	return 0;
}

/* As sweep() of @lamella/cleanup: a container lives while its monitor holds its lock, or is kept and has ended by itself. */
static int is_no_dead_container(int fd, const char *name)
{
	static struct statx about;
	char words[48];
	const char *locks;

	if (name[0] == '.')
		return 1;
	if (exists_in(fd, name, "kept", &about) && !exists_in(fd, name, "claims", &about))
		return 1;
	locks = held_locks();
	return locks && exists_in(fd, name, "lock", &about) && lock_words(words, &about) && contains(locks, words);
}

static int events_are_short(const char *root, u64 most)
{
	static char path[PATH_LENGTH];
	const char *parts[] = { root, "/containers/.events" };
	struct statx about;
	long error;

	if (!join_path(path, sizeof(path), parts, 2))
		return 0;
	error = SYS(statx, AT_FDCWD, path, 0, STATX_SIZE, &about);
	return error == -ENOENT || (error == 0 && about.stx_size <= most);
}

int store_is_ready(const char *root, u64 events)
{
	return all_names(open_in(root, "applying"), never) && events_are_short(root, events) &&
	       all_names(open_in(root, "layers"), is_no_temporary) && all_names(open_in(root, "containers"), is_no_dead_container);
}

/* Whether the process with this id has this parent, started then, and has not ended (proc_pid_stat(5)). */
static int is_process(u64 pid, u64 parent, u64 started)
{
	static char text[4096];
	char path[64] = "/proc/", *end = append_decimal(path + 6, pid);
	const char *at = NULL;
	u64 value = 0;
	long length, fd;

	append(end, "/stat");
	fd = SYS(openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return 0;
	length = SYS(read, fd, text, sizeof(text) - 1);
	SYS(close, fd);
	if (length <= 0)
		return 0;
	text[length] = 0;
	/* The name is in parentheses and may have some itself. */
	for (const char *each = text; *each; each++)
		if (*each == ')')
			at = each;
	if (!at || at[1] != ' ' || at[2] == 'Z' || at[2] == 'X')
		return 0;
	at += 2;
	for (int field = 3; field <= 22; field++) {
		for (value = 0; *at && *at != ' '; at++)
			value = value * 10 + (u64)(*at - '0');
		if (field == 4 && value != parent)
			return 0;
		if (*at)
			at++;
	}
	return value == started;
}

int container_runs(const char *directory, const u64 *numbers)
{
	static char path[PATH_LENGTH];
	const char *lock[] = { directory, "/lock" }, *locks = held_locks();
	struct statx about;
	char words[72];

	words[0] = ' ';
	return locks && join_path(path, sizeof(path), lock, 2) && SYS(statx, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &about) == 0 &&
	       lock_words(append_decimal(words + 1, numbers[0]), &about) && contains(locks, words) &&
	       is_process(numbers[1], numbers[0], numbers[2]) && all_names(open_in(directory, "../../applying"), never);
}
