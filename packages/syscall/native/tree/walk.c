/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compound ops that describe trees: `walk` describes one, `compare` what an overlay's upper directory did to its lower.
 * The names of a directory are sorted by their bytes, parents before children, so the same tree gives the same replies.
 */
#include "tree/tree.h"
#include "tree/names.h"
#include "tree/record.h"
#include "tree/content.h"
#include "tree/overlay.h"
#include "wire/reply.h"
#include <linux/fcntl.h>
#include <linux/openat2.h>

/* The deepest tree. Each level holds one or two of the thousand descriptors of a process. */
#define LEVELS 400

/* How often an object is read again that was replaced meanwhile. */
#define TELL_TRIES 8

/* The sides of a comparison. */
#define UPPER NAME_FIRST
#define LOWER NAME_SECOND

struct level {
	int upper, lower;   /* -1 where there is none */
	int both;           /* names that only the lower has are gone, with or without a mark */
	struct name_list names;
	u32 next;           /* index of the next name */
	u32 length;         /* length of its path */
};

static struct level levels[LEVELS];

static void leave_level(struct level *level)
{
	if (level->upper == here || level->lower == here)
		here = -1;
	if (level->upper >= 0)
		SYS(close, level->upper);
	if (level->lower >= 0)
		SYS(close, level->lower);
	names_drop(&level->names);
}

static int is_shown(const struct statx *st, s64 content)
{
	return is(st, S_IFREG) && (content == 1 || (content > 1 && st->stx_size <= (u64)content));
}

/* Returns whether two views of one file on different devices are unchanged: no call can set ctime. */
static int unchanged(const struct statx *a, const struct statx *b)
{
	return a->stx_ino == b->stx_ino && a->stx_ctime.tv_sec == b->stx_ctime.tv_sec && a->stx_ctime.tv_nsec == b->stx_ctime.tv_nsec &&
	       a->stx_mtime.tv_sec == b->stx_mtime.tv_sec && a->stx_mtime.tv_nsec == b->stx_mtime.tv_nsec;
}

struct walk {
	u32 index;
	enum overlay overlay;
	int compare;
	/* Whether contents are reported: 0, 1 for all, or N for files of up to N bytes. */
	s64 content;
	/* Whether mounts below are included, except for filesystems that the kernel makes up and one device. */
	int seen;
	u32 without_major, without_minor;
};

/* Reports one name. `*has_upper` and `*has_lower` are set to whether each side has it. */
static long tell(const struct walk *walk, const struct level *level, const char *name, u32 length, int sides, struct statx *upper, struct statx *lower,
		 int *has_upper, int *has_lower)
{
	long err = level->upper >= 0 && (sides & UPPER) ? look(level->upper, name, upper) : -ENOENT, differs = 0;

	/* The tree may be large, so stop when nobody reads the replies. */
	if (unread)
		return -EPIPE;
	if (err < 0 && err != -ENOENT)
		return err;
	*has_upper = !err && !(walk->overlay && is_whiteout(upper));
	err = level->lower >= 0 ? look(level->lower, name, lower) : -ENOENT;
	if (err < 0 && err != -ENOENT)
		return err;
	*has_lower = !err;
	if (!*has_upper && !*has_lower)
		return 0;
	begin_record();
	if (walk->compare) {
		if (*has_upper && *has_lower && is(upper, S_IFREG) && is(lower, S_IFREG))
			differs = upper->stx_size != lower->stx_size ? 1
				: walk->overlay == PLAIN && unchanged(upper, lower) ? 0
				: contents_differ(level->upper, level->lower, name);
		/* An object that disappeared or changed its type meanwhile counts as different. It is reported all the same. */
		if (differs == -ENOENT)
			differs = 1;
		if (differs < 0)
			return differs;
		put64((*has_upper ? UPPER : 0) | (*has_lower ? LOWER : 0));
		put64((u64)differs);
	}
	err = *has_upper ? put_object(level->upper, name, upper, length) : 0;
	if (!err && *has_lower)
		err = put_object(level->lower, name, lower, length);
	if (err < 0)
		return err;
	reply_data(walk->index, record.at, record.length);
	return *has_upper && is_shown(upper, walk->content) ? show_content(level->upper, name, upper->stx_size, walk->index, walk->seen) : 0;
}

/* Filesystems whose files the kernel makes up (linux/magic.h). */
static int is_made_up(s64 type)
{
	static const u32 types[] = {
		0x9fa0,     /* proc */
		0x62656572, /* sysfs */
		0x27e0eb,   /* cgroup */
		0x63677270, /* cgroup2 */
		0x1cd1,     /* devpts */
		0x19800202, /* mqueue */
		0x64626720, /* debugfs */
		0x74726163, /* tracefs */
		0x73636673, /* securityfs */
		0xcafe4a11, /* bpf */
		0x62656570, /* configfs */
		0x6165676c, /* pstore */
		0xf97cff8c, /* selinuxfs */
		0xde5e81e4, /* efivarfs */
	};

	for (u32 i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if ((u32)type == types[i])
			return 1;
	return 0;
}

/* Opens the mount on a directory, if mounts are included. Returns -EXDEV if not. */
static long mounted_below(const struct walk *walk, int dirfd, const char *name)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_NO_MAGICLINKS | RESOLVE_BENEATH,
	};
	u64 info[32];
	struct statx st;
	long fd, err;

	if (!walk->seen)
		return -EXDEV;
	fd = openat2_again(dirfd, name, &how);
	if (fd < 0)
		return fd;
	err = SYS(fstatfs, fd, info);
	if (!err)
		err = SYS(statx, fd, "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_TYPE, &st);
	if (!err && (is_made_up((s64)info[0]) || (st.stx_dev_major == walk->without_major && st.stx_dev_minor == walk->without_minor)))
		err = -EXDEV;
	if (!err)
		return fd;
	SYS(close, fd);
	return err;
}

/* Returns whether an error means that a directory disappeared or was replaced by a file or a link. */
static int is_gone(long err)
{
	return err == -ENOENT || err == -ENOTDIR || err == -ELOOP;
}

/* Opens the next level in a directory of either side. Returns 1 if there is none. */
static long descend(const struct walk *walk, const struct level *level, const char *name, u32 length, int sides, int upper, int lower, struct level *below)
{
	long fd;

	*below = (struct level){ .upper = -1, .lower = -1, .both = level->both || !upper || sides & NAME_HIDDEN, .length = length };
	if (upper) {
		fd = directory_below(level->upper, name);
		if (fd == -EXDEV)
			fd = mounted_below(walk, level->upper, name);
		/* A mount point is reported; the mount on it is not. */
		if (fd == -EXDEV)
			return 1;
		if (fd < 0)
			return is_gone(fd) ? -ENOENT : fd;
		below->upper = (int)fd;
		fd = walk->overlay && !below->both ? is_opaque(below->upper, walk->overlay) : 0;
		if (fd < 0)
			goto fail;
		below->both |= (int)fd;
	}
	if (lower) {
		fd = directory_below(level->lower, name);
		if (fd < 0 && fd != -EXDEV && !is_gone(fd))
			goto fail;
		if (fd >= 0)
			below->lower = (int)fd;
	}
	fd = names_list(below->upper, below->both ? below->lower : -1, walk->overlay == FILES, &below->names);
	if (fd < 0)
		goto fail;
	return 0;
fail:
	if (below->upper >= 0)
		SYS(close, below->upper);
	if (below->lower >= 0)
		SYS(close, below->lower);
	return fd;
}

/* Reports everything below the first level, whose descriptors are open, and closes them. */
static long walk_levels(const struct walk *walk)
{
	int depth = 0;
	long err;

	err = names_list(levels[0].upper, levels[0].both ? levels[0].lower : -1, walk->overlay == FILES, &levels[0].names);
	while (err >= 0) {
		struct level *level = &levels[depth];
		struct statx upper, lower;
		int has_upper, has_lower, sides;
		u32 length = level->length, n = 0;
		const char *from;
		/* A copy, because names move when their buffer grows. */
		static char name[256];

		if (level->next == level->names.count) {
			if (depth == 0)
				break;
			leave_level(level);
			depth--;
			continue;
		}
		from = names_get(&level->names, level->next++, &sides);
		if (length)
			walk_path[length++] = '/';
		for (; from[n] && n < sizeof(name) - 1; n++)
			name[n] = from[n];
		name[n] = 0;
		if (length + n + 2 > sizeof(walk_path)) {
			err = -ENAMETOOLONG;
			break;
		}
		__builtin_memcpy(walk_path + length, name, n);
		length += n;
		err = -ENOENT;
		for (int tries = 0; err == -ENOENT && tries < TELL_TRIES; tries++)
			err = tell(walk, level, name, length, sides, &upper, &lower, &has_upper, &has_lower);
		if (err == -ENOENT) /* removed since its directory was read */
			err = 0;
		else if (!err) {
			has_upper = has_upper && is(&upper, S_IFDIR);
			has_lower = has_lower && is(&lower, S_IFDIR);
			if (!has_upper && !has_lower)
				continue;
			if (depth + 1 == LEVELS) {
				err = -ELOOP;
				break;
			}
			err = descend(walk, level, name, length, sides, has_upper, has_lower, &levels[depth + 1]);
			if (err == 0)
				depth++;
			else if (err == -ENOENT || err == 1)
				err = 0;
		}
	}
	for (; depth >= 0; depth--)
		leave_level(&levels[depth]);
	replies_flush();
	return err;
}

/* Walks one tree; names are relative to its top, which may be any object. */
static long walk_one(int dirfd, const char *path, const struct walk *walk)
{
	u32 index = walk->index;
	struct statx st;
	long fd = directory_top(dirfd, path), err;

	if (fd == -ENOTDIR || fd == -ELOOP) {
		/* AT_FDCWD is the working directory already. */
		here = dirfd == AT_FDCWD ? dirfd : -1;
		err = look(dirfd, path, &st);
		begin_record();
		if (!err)
			err = put_object(dirfd, path, &st, 0);
		if (!err)
			reply_data(index, record.at, record.length);
		if (!err && is_shown(&st, walk->content))
			err = show_content(dirfd, path, st.stx_size, index, walk->seen);
		replies_flush();
		return err;
	}
	if (fd < 0)
		return fd;
	levels[0] = (struct level){ .upper = (int)fd, .lower = -1 };
	err = look((int)fd, "", &st);
	begin_record();
	if (!err)
		err = put_object((int)fd, "", &st, 0);
	if (err < 0) {
		SYS(close, fd);
		return err;
	}
	reply_data(index, record.at, record.length);
	return walk_levels(walk);
}

/* Compares two directories; the replies begin with what is below them. */
static long compare_both(int upper, int lower, enum overlay overlay, u32 index)
{
	struct walk walk = { .index = index, .compare = 1, .overlay = overlay };
	long fd = directory_top(upper, "."), opaque;

	if (fd < 0)
		return fd;
	levels[0] = (struct level){ .upper = (int)fd, .lower = -1 };
	/* In two whole trees, a name that only one has was removed or added. */
	opaque = overlay == PLAIN ? 1 : is_opaque((int)fd, overlay);
	fd = opaque < 0 ? opaque : directory_top(lower, ".");
	if (fd < 0) {
		SYS(close, levels[0].upper);
		return fd;
	}
	levels[0].lower = (int)fd;
	levels[0].both = (int)opaque;
	return walk_levels(&walk);
}

/* Restores the working directory, which belongs to the program. */
static long come_back(int fd, long result)
{
	long err = fd < 0 ? fd : SYS(fchdir, fd);

	if (fd >= 0)
		SYS(close, fd);
	return result < 0 || err >= 0 ? result : err;
}

long tree_walk(int dirfd, const char *path, u32 index, s64 content)
{
	const struct walk walk = { .index = index, .content = content };
	int fd = (int)SYS(openat, AT_FDCWD, ".", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);

	here = -1;
	return come_back(fd, walk_one(dirfd, path, &walk));
}

long tree_walk_seen(int dirfd, const char *path, u32 index, int without)
{
	struct walk walk = { .index = index, .content = 1, .seen = 1, .without_major = (u32)-1 };
	int fd = (int)SYS(openat, AT_FDCWD, ".", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	struct statx st;

	if (without >= 0) {
		long err = SYS(statx, without, "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_TYPE, &st);

		if (err < 0)
			return come_back(fd, err);
		walk.without_major = st.stx_dev_major;
		walk.without_minor = st.stx_dev_minor;
	}
	here = -1;
	return come_back(fd, walk_one(dirfd, path, &walk));
}

long tree_compare(int upper, int lower, enum overlay overlay, u32 index)
{
	int fd = (int)SYS(openat, AT_FDCWD, ".", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);

	here = -1;
	return come_back(fd, compare_both(upper, lower, overlay, index));
}

/* Reports one object without what is below it. */
long object_tell(int dirfd, const char *path, u32 index)
{
	int fd = (int)SYS(openat, AT_FDCWD, ".", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	struct statx st;
	long err = look(dirfd, path, &st);

	here = dirfd == AT_FDCWD ? dirfd : -1;
	begin_record();
	if (!err)
		err = put_object(dirfd, path, &st, 0);
	if (!err)
		reply_data(index, record.at, record.length);
	replies_flush();
	return come_back(fd, err);
}
