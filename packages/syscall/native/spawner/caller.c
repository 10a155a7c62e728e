/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a process inherits: limits, priority, processors, the OOM score and the umask. A spawner was forked from its
 * caller some time ago, so its children take over what has changed in the caller since. The identity and the cgroup
 * are not taken over: the caller does not ask a spawner that differs in them.
 */
#include "base/text.h"
#include "spawner/spawner.h"
#include <linux/fcntl.h>
#include <linux/resource.h>

#define AFFINITY_BYTES 1024
#define LIMITS 16

static int caller;
static char oom_score[16];

/* Reads the start of a file in /proc/PID and ends it with a NUL. Returns its length, 0 if there is none. */
static long read_start(int pid, const char *file, char *to, size_t room)
{
	char path[48];
	long fd, n;

	process_path(path, pid, file);
	fd = SYS(openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	n = fd < 0 ? fd : SYS(read, fd, to, room - 1);
	if (fd >= 0)
		SYS(close, fd);
	n = n < 0 ? 0 : n;
	to[n] = 0;
	return n;
}

void caller_remember(int pid)
{
	caller = pid;
	read_start(caller, "/oom_score_adj", oom_score, sizeof(oom_score));
}

static void follow_limits(void)
{
	for (int i = 0; i < LIMITS; i++) {
		struct rlimit64 theirs, own;

		if (SYS(prlimit64, caller, i, 0, &theirs) < 0 || SYS(prlimit64, 0, i, 0, &own) < 0)
			continue;
		if (theirs.rlim_cur != own.rlim_cur || theirs.rlim_max != own.rlim_max)
			SYS(prlimit64, 0, i, &theirs, 0);
	}
}

static void follow_scheduling(void)
{
	static u8 theirs[AFFINITY_BYTES], own[AFFINITY_BYTES];
	long length = SYS(sched_getaffinity, caller, sizeof(theirs), theirs);
	/* The system call returns 20 - nice. */
	long priority = SYS(getpriority, 0 /* PRIO_PROCESS */, caller);

	if (priority > 0 && priority != SYS(getpriority, 0, 0))
		SYS(setpriority, 0, 0, 20 - priority);
	if (length > 0 && SYS(sched_getaffinity, 0, sizeof(own), own) == length)
		for (long i = 0; i < length; i++)
			if (theirs[i] != own[i]) {
				SYS(sched_setaffinity, 0, length, theirs);
				break;
			}
}

static void follow_oom_score(void)
{
	char theirs[sizeof(oom_score)];
	long length = read_start(caller, "/oom_score_adj", theirs, sizeof(theirs)), fd;

	if (!length || same_text(theirs, oom_score))
		return;
	fd = SYS(openat, AT_FDCWD, "/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return;
	SYS(write, fd, theirs, length);
	SYS(close, fd);
}

/* Only procfs shows the umask of another process. */
static void follow_umask(void)
{
	static const char field[] = "\nUmask:\t";
	static char status[512];
	long length = read_start(caller, "/status", status, sizeof(status));
	int mask = 0;

	for (long at = 0; at < length; at++) {
		const char *digit = field, *text = status + at;

		while (*digit && *text == *digit)
			digit++, text++;
		if (*digit)
			continue;
		while (*text >= '0' && *text <= '7')
			mask = mask * 8 + (*text++ - '0');
		SYS(umask, mask);
		return;
	}
}

void caller_follow(int needs_umask)
{
	follow_limits();
	follow_scheduling();
	follow_oom_score();
	if (needs_umask)
		follow_umask();
}
