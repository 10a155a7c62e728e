/* SPDX-License-Identifier: Apache-2.0 */
/* The commands that map ids of a user namespace: newuidmap(1) and newgidmap(1). */
#include "front/front.h"
#include "base/text.h"
#include <linux/fcntl.h>

/* Starts a command that maps ids. Its messages are dropped: Node runs it again to explain a failure. */
static long start_helper(char **words)
{
	char *none[] = { NULL };
	long pid = SYS(clone, SIGCHLD, 0, 0, 0, 0);

	if (pid)
		return pid;
	for (int fd = 0; fd < 3; fd++)
		SYS(dup3, SYS(openat, AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC, 0), fd, 0);
	set_signal_mask(0);
	SYS(execve, words[0], words, none);
	exit_now(127);
	__builtin_unreachable();
}

#define HELPERS 2

int map_ids(const char *lines, long pid)
{
	static char text[8192];
	static char *words[1024];
	char of_process[12], *at = text;
	long helpers[HELPERS], count = 0;
	int all = 1;

	append_number(of_process, (int)pid);
	if (length_of(lines) >= sizeof(text))
		return 0;
	__builtin_memcpy(text, lines, length_of(lines) + 1);
	while (*at && count < HELPERS) {
		size_t n = 0;
		int ended = 0;

		while (!ended && n < 1023) {
			words[n++] = at;
			while (*at && *at != '\t' && *at != '\n')
				at++;
			ended = *at != '\t';
			if (*at)
				*at++ = 0;
			if (words[n - 1][0] == 'P' && words[n - 1][1] == 'I' && words[n - 1][2] == 'D' && !words[n - 1][3])
				words[n - 1] = of_process;
		}
		words[n] = NULL;
		helpers[count++] = start_helper(words);
	}
	for (long i = 0; i < count; i++) {
		int status = 1;

		while (helpers[i] > 0 && SYS(wait4, helpers[i], &status, 0, 0) == -EINTR)
			;
		all &= helpers[i] > 0 && status == 0;
	}
	return all && count == HELPERS;
}
