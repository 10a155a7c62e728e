/* SPDX-License-Identifier: Apache-2.0 */
#include "launch/conditions.h"
#include "base/environment.h"
#include "base/kernel.h"
#include "launch/store.h"
#include <linux/capability.h>
#include <linux/fcntl.h>

#define PATH_LENGTH 4096
#define GROUPS 65536
#define CALLER_FIXED 8

static int is_text(const struct piece *text, const char *other)
{
	for (u32 i = 0; i < text->length; i++)
		if (!other[i] || other[i] != text->at[i])
			return 0;
	return !other[text->length];
}

/* As makedev(3). */
static u64 device_of(u32 major, u32 minor)
{
	return ((u64)(major & 0xfffff000U) << 32) | ((u64)(minor & 0xffffff00U) << 12) | (u64)(major & 0xfff) << 8 | (minor & 0xff);
}

static u64 nanoseconds(const struct statx_timestamp *time)
{
	return (u64)time->tv_sec * 1000000000ULL + time->tv_nsec;
}

static int is_same(const struct condition *condition, int flags)
{
	struct statx now;

	if (condition->count != 6 || SYS(statx, AT_FDCWD, condition->name.at, flags, STATX_BASIC_STATS, &now) < 0)
		return 0;
	return condition->numbers[0] == device_of(now.stx_dev_major, now.stx_dev_minor) && condition->numbers[1] == now.stx_ino &&
	       condition->numbers[2] == now.stx_mode && condition->numbers[3] == now.stx_size &&
	       condition->numbers[4] == nanoseconds(&now.stx_mtime) && condition->numbers[5] == nanoseconds(&now.stx_ctime);
}

static int is_same_place(const struct condition *condition)
{
	struct statx now;

	if (condition->count != 6 || SYS(statx, AT_FDCWD, condition->name.at, 0, STATX_BASIC_STATS | STATX_BTIME, &now) < 0)
		return 0;
	return condition->numbers[0] == device_of(now.stx_dev_major, now.stx_dev_minor) && condition->numbers[1] == now.stx_ino &&
	       condition->numbers[2] == now.stx_mode && condition->numbers[3] == now.stx_uid && condition->numbers[4] == now.stx_gid &&
	       condition->numbers[5] == nanoseconds(&now.stx_btime);
}

/* Returns 0 if there is something, else the error. */
static long absence(const char *path, int flags)
{
	struct statx now;
	long error = SYS(statx, AT_FDCWD, path, flags, STATX_TYPE, &now);

	return error < 0 ? error : 0;
}

static int is_absent(const struct condition *condition)
{
	long error = absence(condition->name.at, AT_SYMLINK_NOFOLLOW);

	/* A link that leads nowhere was followed, and is nothing. */
	if (!error)
		error = absence(condition->name.at, 0);
	return condition->count == 1 && error == -(long)condition->numbers[0];
}

static int has_content(const struct condition *condition)
{
	static u8 chunk[65536];
	u64 hash = HASH_BEGIN, length = 0;
	long n, fd = SYS(openat, AT_FDCWD, condition->name.at, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);

	if (fd < 0 || condition->count != 2)
		return 0;
	while ((n = SYS(read, fd, chunk, sizeof(chunk))) > 0 && length <= condition->numbers[0]) {
		hash = hash_more(hash, chunk, (size_t)n);
		length += (u64)n;
	}
	SYS(close, fd);
	return n == 0 && length == condition->numbers[0] && hash == condition->numbers[1];
}

static int has_filesystem(const struct condition *condition)
{
	/* struct statfs begins with its type; it is 120 bytes long. */
	long about[32];

	return condition->count == 1 && SYS(statfs, condition->name.at, about) == 0 && (u64)about[0] == condition->numbers[0];
}

static int has_environment(const struct condition *condition, char **envp)
{
	u64 hash = HASH_BEGIN;

	for (; *envp; envp++) {
		size_t length = 0;

		while ((*envp)[length])
			length++;
		hash = hash_more(hash, *envp, length + 1);
	}
	return condition->count == 1 && hash == condition->numbers[0];
}

static int is_directory(const struct condition *condition)
{
	static char path[PATH_LENGTH];

	return SYS(getcwd, path, sizeof(path)) > 0 && is_text(&condition->text, path);
}

static int is_terminal(u32 major)
{
	return major == 4 || major == 5 || (major >= 136 && major <= 143);
}

/* See kindOfDescriptor() in src/replay/observed-reads.ts. */
static u64 kind_of(int fd)
{
	struct statx now;

	if (SYS(statx, fd, "", AT_EMPTY_PATH, STATX_TYPE, &now) < 0)
		return ~0ULL;
	/* The major number 1 has /dev/null and its like. */
	if ((now.stx_mode & S_IFMT) != S_IFCHR || now.stx_rdev_major == 1)
		return 0;
	return is_terminal(now.stx_rdev_major) ? 1 : device_of(now.stx_rdev_major, now.stx_rdev_minor);
}

static int has_groups(const u64 *wanted, u32 count)
{
	static u32 groups[GROUPS];
	long n = SYS(getgroups, GROUPS, groups), own = SYS(getegid);
	u32 others = 0;

	/* The effective group may be listed or not. All others are wanted, and none of them twice. */
	for (long i = 0; i < n; i++) {
		u32 j = 0;

		if (groups[i] == (u32)own)
			continue;
		while (j < count && groups[i] != wanted[j])
			j++;
		if (j == count)
			return 0;
		others++;
	}
	return n >= 0 && others == count;
}

static int is_caller(const struct condition *condition)
{
	const u64 *wanted = condition->numbers;
	long mask = SYS(umask, 0);

	SYS(umask, mask);
	if (condition->count < CALLER_FIXED || wanted[0] != (u64)SYS(getuid) || wanted[1] != (u64)SYS(geteuid) ||
	    wanted[2] != (u64)SYS(getgid) || wanted[3] != (u64)SYS(getegid) || wanted[4] != (u64)mask)
		return 0;
	for (int fd = 0; fd < 3; fd++)
		if (wanted[5 + fd] != kind_of(fd))
			return 0;
	return has_groups(wanted + CALLER_FIXED, condition->count - CALLER_FIXED);
}

static int has_capabilities(const struct condition *condition)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];

	return condition->count == 1 && SYS(capget, &header, sets) == 0 &&
	       condition->numbers[0] == ((u64)sets[1].effective << 32 | sets[0].effective);
}

static int holds(const struct condition *condition, char **envp)
{
	const char *value;

	switch (condition->kind) {
	case CONDITION_SAME:
		return is_same(condition, AT_SYMLINK_NOFOLLOW);
	case CONDITION_PLACE:
		return is_same_place(condition);
	case CONDITION_FOLLOWED:
		return is_same(condition, 0);
	case CONDITION_ABSENT:
		return is_absent(condition);
	case CONDITION_EXISTS:
		return absence(condition->name.at, 0) == 0;
	case CONDITION_CONTENT:
		return has_content(condition);
	case CONDITION_FSTYPE:
		return has_filesystem(condition);
	case CONDITION_VARIABLE:
		value = variable(envp, condition->name.at);
		return value && is_text(&condition->text, value);
	case CONDITION_NO_VARIABLE:
		return !variable(envp, condition->name.at);
	case CONDITION_ENVIRONMENT:
		return has_environment(condition, envp);
	case CONDITION_DIRECTORY:
		return is_directory(condition);
	case CONDITION_CALLER:
		return is_caller(condition);
	case CONDITION_READY:
		return condition->count == 1 && store_is_ready(condition->name.at, condition->numbers[0]);
	case CONDITION_CAPABILITIES:
		return has_capabilities(condition);
	case CONDITION_RUNNING:
		return condition->count == 3 && container_runs(condition->name.at, condition->numbers);
	default:
		return 0;
	}
}

int conditions_hold(const struct record *record, char **envp, struct condition *failed)
{
	struct reader reader = record->conditions;

	for (u32 i = 0; i < record->condition_count; i++)
		if (!record_condition(&reader, failed) || !holds(failed, envp))
			return 0;
	return 1;
}
