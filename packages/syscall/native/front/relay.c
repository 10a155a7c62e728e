/* SPDX-License-Identifier: Apache-2.0 */
/* Signals to the monitor, and replies from it. */
#include "front/front.h"
#include "base/send.h"
#include "wire/reply.h"
#include <asm/ioctls.h>
#include <linux/fcntl.h>

/* A process 1 without a handler ignores these signals, so the third one kills. apps/cli/src/terminal/forward-signals.ts does the same. */
#define PATIENCE 3

struct seen seen;

static void order(int to, u32 opcode, s64 first, s64 second, int count)
{
	u32 length = FRAME_HEADER + 8 * (u32)count, head[3] = { length, opcode, 0 };
	s64 numbers[2] = { first, second };
	u8 frame[FRAME_HEADER + sizeof(numbers)];

	__builtin_memcpy(frame, head, sizeof(head));
	__builtin_memcpy(frame + FRAME_HEADER, numbers, sizeof(numbers));
	write_all(to, frame, length);
}

static void pass_on(int to, int signo)
{
	order(to, ORDER_signal, signo, 0, 1);
}

/* Sends the size of the terminal on stdout or stderr; stdin may be another terminal, or none. */
static void pass_size(int to)
{
	struct {
		unsigned short rows, columns, x, y;
	} size;

	for (int fd = 1; fd <= 2; fd++)
		if (SYS(ioctl, fd, TIOCGWINSZ, &size) == 0 && size.rows && size.columns) {
			order(to, ORDER_resize, size.rows, size.columns, 2);
			return;
		}
}

static void read_signal(int signals, int to)
{
	static int asked;
	/* struct signalfd_siginfo */
	u32 info[32];

	if (SYS(read, signals, info, sizeof(info)) != sizeof(info))
		return;
	switch (info[0]) {
	case SIGINT:
	case SIGTERM:
		if (++asked == PATIENCE)
			say("lamella: third signal: killing the container\n");
		pass_on(to, asked >= PATIENCE ? SIGKILL : (int)info[0]);
		break;
	case SIGWINCH:
		pass_size(to);
		break;
	case SIGHUP:
	case SIGQUIT:
	case SIGUSR1:
	case SIGUSR2:
	case SIGALRM:
	case SIGCONT:
		pass_on(to, (int)info[0]);
		break;
	}
}

/* Skips the data of a reply, except for the settings of the terminal. */
static size_t look_into(const u8 *at, size_t length)
{
	size_t n = seen.skip < length ? seen.skip : length;

	if (seen.kind == REPLY_TERMINAL && seen.settings_length + n <= SETTINGS) {
		__builtin_memcpy(seen.settings + seen.settings_length, at, n);
		seen.settings_length += (u32)n;
	}
	seen.skip -= (u32)n;
	return n;
}

void look_at(const u8 *at, size_t length)
{
	while (length) {
		if (seen.skip) {
			size_t n = look_into(at, length);

			at += n;
			length -= n;
			continue;
		}
		seen.head[seen.filled++] = *at++;
		length--;
		if (seen.filled == REPLY_HEADER) {
			u32 total;
			s64 value;

			__builtin_memcpy(&total, seen.head, 4);
			__builtin_memcpy(&seen.kind, seen.head + 4, 2);
			__builtin_memcpy(&value, seen.head + 12, 8);
			seen.ok |= seen.kind == REPLY_OK;
			seen.failed |= seen.kind == REPLY_FAILED;
			seen.started |= seen.kind == REPLY_STARTED;
			seen.detached |= seen.kind == REPLY_DETACHED;
			if (seen.kind == REPLY_EXITED) {
				seen.exited = 1;
				seen.status = (int)value;
			}
			seen.filled = 0;
			seen.skip = total > REPLY_HEADER ? total - REPLY_HEADER : 0;
		}
	}
}

void listen_to(int replies, int orders, int told, u64 blocked, int leaves)
{
	static u8 chunk[16384];
	int signals = (int)SYS(signalfd4, -1, &blocked, sizeof(blocked), O_CLOEXEC | O_NONBLOCK);

	for (;;) {
		struct pollfd p[] = { { replies, POLLIN, 0 }, { signals, POLLIN, 0 } };
		long n;

		if (SYS(ppoll, p, 2, 0, 0, 0) < 0)
			continue;
		if (p[1].revents)
			read_signal(signals, orders);
		if (!p[0].revents)
			continue;
		n = SYS(read, replies, chunk, sizeof(chunk));
		if (n == -EINTR)
			continue;
		if (n <= 0)
			return;
		look_at(chunk, (size_t)n);
		if (seen.detached || (leaves && seen.started))
			return;
		write_all(told, chunk, (size_t)n);
	}
}
