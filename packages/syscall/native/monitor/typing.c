/* SPDX-License-Identifier: Apache-2.0 */
/* The monitor's stdin, which is typed into the terminal of the process, and what clients type. */
#include "monitor/monitor.h"
#include "wire/reply.h"
#include <linux/fcntl.h>

/* Detaches the user. The process continues, with the clients of its socket. */
static void detach(void)
{
	long null = SYS(openat, AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC, 0);

	terminal_restore();
	m.detached = 1;
	m.foreground = 0;
	m.input_open = 0;
	for (int fd = 0; fd < 3 && null >= 0; fd++)
		SYS(dup3, null, fd, 0);
	if (null > 2)
		SYS(close, null);
	reply(REPLY_DETACHED, 0, m.index, 0, NULL, 0);
}

int input_pending(void)
{
	return m.input_at < m.input_end;
}

/* Types end of file (Ctrl-D), for a stdin that is not a terminal. */
void type_end(void)
{
	m.input[0] = 4;
	m.input_at = 0;
	m.input_end = 1;
}

void read_input(void)
{
	char raw[4096];
	long n = SYS(read, 0, raw, sizeof(raw));

	if (n == -EINTR || n == -EAGAIN)
		return;
	m.input_at = m.input_end = 0;
	if (n > 0) {
		if (typed(raw, (int)n, m.input, &m.input_end))
			detach();
		return;
	}
	m.input_open = 0;
	type_end();
}

void write_input(int to)
{
	long n = SYS(write, to, m.input + m.input_at, m.input_end - m.input_at);

	if (n == -EINTR || n == -EAGAIN)
		return;
	if (n < 0) /* the reader has closed it: the input is dropped */
		n = m.input_end - m.input_at;
	m.input_at += (int)n;
}
