/* SPDX-License-Identifier: Apache-2.0 */
/* Orders to a monitor, from its control pipe and from clients. */
#include "monitor/monitor.h"
#include "ops/stream.h"
#include "wire/reply.h"

/* Control frames are small, except for the rest of a program. */
static u8 control[FRAME_MAX + 65536];
static size_t control_length;

void forward_signal(int signo)
{
	if (m.pidfd >= 0)
		SYS(pidfd_send_signal, m.pidfd, signo, 0, 0);
}

/* Sends the rest of a program in parts that fit through the socket; op_wait joins them. */
static void go(const struct bytes *rest)
{
	u32 at = 0;

	do {
		static char part[1 + 65536];
		u32 n = rest->length - at < sizeof(part) - 1 ? rest->length - at : (u32)sizeof(part) - 1;

		part[0] = at + n < rest->length ? 'P' : 'G';
		__builtin_memcpy(part + 1, rest->at + at, n);
		SYS(sendto, m.socket, part, n + 1, MSG_NOSIGNAL_FLAG, 0, 0);
		at += n;
	} while (at < rest->length);
}

void obey(const struct frame *frame)
{
	switch (frame->opcode) {
	case ORDER_stop:
		m.stopping = 1;
		forward_signal((int)frame->number[0]);
		break;
	case ORDER_signal:
		forward_signal((int)frame->number[0]);
		break;
	case ORDER_resize:
		set_window_size((int)frame->number[0], (int)frame->number[1]);
		break;
	case ORDER_go:
		go(&frame->string[0]);
		break;
	case ORDER_input:
		/* The sender has checked that there is room. */
		if (frame->string[0].length <= 4096 && (m.in >= 0 || m.master >= 0)) {
			__builtin_memcpy(m.input, frame->string[0].at, frame->string[0].length);
			m.input_at = 0;
			m.input_end = (int)frame->string[0].length;
		}
		break;
	case ORDER_leave:
		/* The process continues as the child of its adopter. */
		replies_flush();
		exit_now(0);
		break;
	case ORDER_foreground:
		if (m.away) {
			m.away = 0;
			terminal_raw();
			take_window_size();
		}
		break;
	case ORDER_end_input:
		if (m.in >= 0 && m.input_at == m.input_end) {
			SYS(close, m.in);
			m.in = -1;
		}
		break;
	}
}

/* The control pipe is closed: nobody waits for the result, so the process must end. */
static void abandon(void)
{
	m.control_open = 0;
	if (m.detached || (supervision.flags & SUPERVISE_DETACHED && m.announced && !m.failed))
		return;
	m.stopping = 1;
	forward_signal(9);
}

static void obey_control(void)
{
	struct frame frame;

	for (;;) {
		long used = frame_decode(control, control_length, &frame);

		if (used == 0 && control_length < sizeof(control))
			return;
		if (used <= 0) {
			reply(REPLY_FAILED, used ? (int)-used : EMSGSIZE, m.index, -1, NULL, 0);
			abandon();
			return;
		}
		obey(&frame);
		control_length -= (size_t)used;
		__builtin_memmove(control, control + used, control_length);
	}
}

void control_begin(const char *end)
{
	const u8 *orders;

	control_length = stream_beyond(end, &orders);
	__builtin_memcpy(control, orders, control_length);
	obey_control();
}

void read_control(void)
{
	long n = SYS(read, FRAMES_FD, control + control_length, sizeof(control) - control_length);

	if (n == -EINTR || n == -EAGAIN)
		return;
	if (n <= 0) {
		abandon();
		return;
	}
	control_length += (size_t)n;
	obey_control();
}
