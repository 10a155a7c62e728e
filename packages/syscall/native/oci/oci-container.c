/* SPDX-License-Identifier: Apache-2.0 */
/* A container's directory, record and status. No link is followed below the root, and others cannot have written the record. */
#include "base/environment.h"
#include "base/text.h"
#include "oci/oci.h"
#include <linux/fcntl.h>
#include <linux/mman.h>

/* Annotations of Kubernetes have at most 256 KiB (its API's limit), and a record has them twice. */
#define RECORD_MAX (1 << 20)
#define WRITABLE_BY_OTHERS 022
#define LOCK_EX 2

const char *const oci_status_names[] = { "created", "running", "paused", "stopped" };

static bool is_initial_root(void)
{
	static const char whole[] = "4294967295";
	char map[256];
	long fd, n;

	if (SYS(geteuid))
		return false;
	fd = SYS(openat, AT_FDCWD, "/proc/self/uid_map", O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return false;
	n = SYS(read, fd, map, sizeof(map));
	SYS(close, fd);
	/* One line whose last number is the number of all ids. */
	if (n < (long)sizeof(whole) || map[n - 1] != '\n')
		return false;
	map[n - 1] = 0;
	return same_text(map + n - sizeof(whole), whole);
}

/* Whether a path has no `..`, which TypeScript resolves without looking at links. */
static bool is_plain(const char *path)
{
	for (const char *at = path; *at; at++)
		if (at[0] == '.' && at[1] == '.' && (at == path || at[-1] == '/') && (!at[2] || at[2] == '/'))
			return false;
	return *path;
}

/* Writes the default directory, see defaultRoot() in state-directory.ts. Returns false if it is too long. */
static bool default_root(char *path, char **envp)
{
	const char *runtime = variable(envp, "XDG_RUNTIME_DIR");
	char *end;

	if (is_initial_root()) {
		append(path, "/run/lamella-oci");
		return true;
	}
	if (!runtime || !*runtime) {
		end = append(path, "/tmp/lamella-oci-");
		append_number(end, (int)SYS(geteuid));
		return true;
	}
	if (length_of(runtime) + 16 > LAUNCH_PATH_MAX)
		return false;
	append(append(path, runtime), "/lamella-oci");
	return true;
}

long oci_open_root(const char *root, char **envp)
{
	static char path[LAUNCH_PATH_MAX];

	if (!root) {
		if (!default_root(path, envp))
			return -ENAMETOOLONG;
		root = path;
	}
	if (!is_plain(root))
		return -EINVAL;
	return SYS(openat, AT_FDCWD, root, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
}

bool oci_is_id(const char *name)
{
	size_t length = length_of(name);

	if (!length || length > OCI_ID_MAX || same_text(name, ".") || same_text(name, ".."))
		return false;
	for (; *name; name++)
		if (!(*name >= 'a' && *name <= 'z') && !(*name >= 'A' && *name <= 'Z') && !(*name >= '0' && *name <= '9') && *name != '_' &&
		    *name != '+' && *name != '.' && *name != '-')
			return false;
	return true;
}

/* Whether a file belongs to this user or root, and others cannot write it. */
static bool is_trusted(const struct statx *stat, u16 type)
{
	if ((stat->stx_mode & S_IFMT) != type || (stat->stx_mode & WRITABLE_BY_OTHERS))
		return false;
	return stat->stx_uid == 0 || stat->stx_uid == (u32)SYS(geteuid);
}

static long stat_of(int directory, const char *name, struct statx *stat)
{
	return SYS(statx, directory, name, AT_SYMLINK_NOFOLLOW | (*name ? 0 : AT_EMPTY_PATH), STATX_BASIC_STATS, stat);
}

static u64 nanoseconds(const struct statx_timestamp *time)
{
	return (u64)time->tv_sec * 1000000000ULL + time->tv_nsec;
}

static bool is_same(int directory, const char *name, const struct file_mark *mark)
{
	struct statx stat;

	return stat_of(directory, name, &stat) >= 0 && (stat.stx_mode & S_IFMT) == S_IFREG && stat.stx_ino == mark->inode &&
	       stat.stx_size == mark->size && nanoseconds(&stat.stx_mtime) == mark->modified && nanoseconds(&stat.stx_ctime) == mark->changed;
}

/* Reads a whole file of a known size. */
static bool read_whole(int fd, u8 *to, size_t size)
{
	while (size) {
		long n = SYS(read, fd, to, size);

		if (n <= 0)
			return false;
		to += n;
		size -= (size_t)n;
	}
	return true;
}

static bool read_record(int directory, struct oci_record *record)
{
	long fd = SYS(openat, directory, OCI_RECORD, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0), memory;
	struct statx stat;
	bool whole = false;

	if (fd >= 0 && stat_of((int)fd, "", &stat) >= 0 && is_trusted(&stat, S_IFREG) && stat.stx_size && stat.stx_size <= RECORD_MAX) {
		memory = SYS(mmap, 0, stat.stx_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (memory >= 0 || memory < -4095)
			whole = read_whole((int)fd, (u8 *)memory, stat.stx_size) && oci_record_parse((u8 *)memory, stat.stx_size, record);
	}
	if (fd >= 0)
		SYS(close, fd);
	/* The directory is ours, so a record that cannot be used is only in the way. */
	if (!whole && (fd >= 0 || fd == -ELOOP))
		SYS(unlinkat, directory, OCI_RECORD, 0);
	return whole;
}

/* Reads the beginning of a file of the kernel. Returns its length or -errno. */
static long read_kernel_file(const char *path, char *to, size_t room)
{
	long fd = SYS(openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0), n;

	if (fd < 0)
		return fd;
	n = SYS(read, fd, to, room);
	SYS(close, fd);
	return n;
}

/* As TypeScript has it: such a file is empty. */
static bool is_missing(long error)
{
	return error == -ENOENT || error == -ENODEV || error == -EACCES || error == -EOPNOTSUPP || error == -ESRCH;
}

/* Whether a line of a text is this one. */
static bool has_line(const char *text, long length, const char *line)
{
	size_t wanted = length_of(line);

	for (const char *at = text, *end = text + length; at < end;) {
		const char *next = at;

		while (next < end && *next != '\n')
			next++;
		if ((size_t)(next - at) == wanted) {
			size_t i = 0;

			while (i < wanted && at[i] == line[i])
				i++;
			if (i == wanted)
				return true;
		}
		at = next + 1;
	}
	return false;
}

static bool read_frozen(const struct oci_record *record, bool *frozen)
{
	char content[256];
	long n;

	*frozen = false;
	if (!record->text[OCI_FREEZER].length)
		return true;
	n = read_kernel_file(record->text[OCI_FREEZER].at, content, sizeof(content));
	if (n < 0)
		return is_missing(n);
	*frozen = has_line(content, n, record->flags & OCI_FREEZER_V2 ? "frozen 1" : "FROZEN");
	return true;
}

/* The field of /proc/PID/stat after the name, which is in parentheses and may contain anything. Returns NULL if there is none. */
static const char *field_after_name(const char *stat, const char *end, int field)
{
	const char *at = end;

	while (at > stat && *at != ')')
		at--;
	for (at += 2; field && at < end; at++)
		if (*at == ' ')
			field--;
	return at < end ? at : NULL;
}

/* Whether a process is the one that the record means: pids are used again, start times are not. */
static bool read_alive(const struct oci_record *record, bool *alive)
{
	char path[48], boot[64], stat[1024];
	const char *state, *time;
	u64 start = 0;
	long n = read_kernel_file("/proc/sys/kernel/random/boot_id", boot, sizeof(boot) - 1);

	*alive = false;
	if (n < 1)
		return false;
	boot[n - 1] = 0;
	if (!same_text(boot, record->text[OCI_BOOT].at))
		return true;
	process_path(path, (int)record->pid, "/stat");
	n = read_kernel_file(path, stat, sizeof(stat) - 1);
	if (n < 0)
		return n == -ENOENT || n == -ESRCH;
	stat[n] = 0;
	state = field_after_name(stat, stat + n, 0);
	time = field_after_name(stat, stat + n, 19);
	if (!state || !time)
		return false;
	for (; *time >= '0' && *time <= '9'; time++)
		start = start * 10 + (u64)(*time - '0');
	*alive = *state != 'Z' && *state != 'X' && start == record->start_time;
	return true;
}

/* The pidfd comes before the look at the process, so it is of that process. */
static bool read_status(struct oci_container *container)
{
	const struct oci_record *record = &container->record;
	struct statx stat;
	bool alive;
	long fifo;

	container->frozen = false;
	container->init = (int)SYS(pidfd_open, record->pid, 0);
	if (container->init < 0 && container->init != -ESRCH)
		return false;
	if (!read_alive(record, &alive))
		return false;
	if (!alive || container->init < 0) {
		if (container->init >= 0)
			SYS(close, container->init);
		container->init = -1;
		container->status = OCI_STOPPED;
		return true;
	}
	fifo = stat_of(container->directory, OCI_FIFO, &stat);
	if (fifo != -ENOENT && fifo < 0)
		return false;
	if (!read_frozen(record, &container->frozen))
		return false;
	container->status = fifo >= 0 ? OCI_CREATED : container->frozen ? OCI_PAUSED : OCI_RUNNING;
	return true;
}

void oci_close(const struct oci_container *container)
{
	if (container->init >= 0)
		SYS(close, container->init);
	SYS(close, container->directory);
}

bool oci_open(int root, const char *id, struct oci_container *container)
{
	struct statx stat;
	long fd = SYS(openat, root, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);

	if (fd < 0)
		return false;
	container->directory = (int)fd;
	container->init = -1;
	if (stat_of((int)fd, "", &stat) >= 0 && is_trusted(&stat, S_IFDIR) && read_record((int)fd, &container->record) &&
	    is_same((int)fd, "state.json", &container->record.state) && read_status(container)) {
		container->inode = stat.stx_ino;
		return true;
	}
	oci_close(container);
	return false;
}

int oci_lock(int root, const char *id, struct oci_container *container)
{
	u64 inode = container->inode;
	long lock = SYS(openat, container->directory, "lock", O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0), err;

	oci_close(container);
	if (lock < 0)
		return -1;
	do
		err = SYS(flock, lock, LOCK_EX);
	while (err == -EINTR);
	if (!err && oci_open(root, id, container)) {
		if (container->inode == inode && is_same(container->directory, "config.json", &container->record.config))
			return (int)lock;
		oci_close(container);
	}
	SYS(close, lock);
	return -1;
}
