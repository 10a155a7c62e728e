/* SPDX-License-Identifier: Apache-2.0 */
/* The loop of the monitor: waits, and handles what is ready. */
#include "monitor/monitor.h"
#include "wire/reply.h"
#include <linux/fcntl.h>
#include <linux/time_types.h>

/* A program that sets up its terminal anew forgets what was typed before: the end is typed again, ever more seldom. */
#define LAST_END (4 * SECOND)

static int foreground_behind(void)
{
	return m.foreground && m.shown < m.chunk_length;
}

static int behind(void)
{
	return foreground_behind() || clients_behind() || log_behind();
}

static void write_foreground(void)
{
	long n = SYS(write, 1, m.chunk + m.shown, m.chunk_length - m.shown);

	if (n == -EINTR || n == -EAGAIN)
		return;
	if (n < 0)
		n = m.chunk_length - m.shown;
	m.shown += (u32)n;
}

/* Reads the next output. Returns 1, 0 at the end, or -EAGAIN if there is none now. */
static long read_output(int from, u32 stream)
{
	long n = SYS(read, from, m.chunk + REPLY_HEADER, CHUNK);

	if (n == -EINTR || n == -EAGAIN)
		return -EAGAIN;
	if (n <= 0)
		return 0;
	m.chunk_length = REPLY_HEADER + (u32)n;
	m.shown = REPLY_HEADER;
	reply_header(m.chunk, REPLY_DATA, 0, stream, 0, (u32)n);
	clients_new_chunk();
	log_new_chunk();
	if (supervision.flags & SUPERVISE_LOG)
		log_write();
	return 1;
}

enum { CONTROL, CHILD, SOCKET, SIGNALS, MASTER, STDIN, STDOUT, OUT, ERR, IN, JOB, OWN, POLLED = OWN + 1 + CLIENTS };

/* One round: waits, and handles what is ready. */
void monitor_step(u64 nanoseconds)
{
	int saying = m.ended && !nanoseconds && m.master >= 0 && !input_pending(), waiting = behind(), to = m.master >= 0 ? m.master : m.in;
	struct __kernel_timespec wait = { 0 };
	long ready;
	struct __kernel_timespec soon = { 0, 100000000 };
	struct pollfd p[POLLED] = {
		[CONTROL] = { m.control_open ? FRAMES_FD : -1, POLLIN, 0 },
		[CHILD] = { m.pidfd, POLLIN, 0 },
		[SOCKET] = { m.socket, POLLIN, 0 },
		[SIGNALS] = { m.signals, POLLIN, 0 },
		[MASTER] = { m.master, (short)((waiting ? 0 : POLLIN) | (input_pending() ? POLLOUT : 0)), 0 },
		[STDIN] = { m.master >= 0 && m.input_open && !m.away && !input_pending() ? 0 : -1, POLLIN, 0 },
		[STDOUT] = { foreground_behind() ? 1 : -1, POLLOUT, 0 },
		[OUT] = { waiting ? -1 : m.out[0], POLLIN, 0 },
		[ERR] = { waiting ? -1 : m.out[1], POLLIN, 0 },
		[IN] = { input_pending() ? m.in : -1, POLLOUT, 0 },
		[JOB] = { m.job, POLLIN, 0 },
	};
	int own = clients_poll(p + OWN);

	if (!p[MASTER].events)
		p[MASTER].fd = -1; /* otherwise a hang-up would spin */
	if (unheard && m.control_open) {
		m.stopping = 1;
		forward_signal(9);
		unheard = 0;
	}
	/* With output pending, slow clients and a full disk are checked from time to time. */
	if (saying)
		nanoseconds = m.ended;
	wait.tv_sec = (s64)(nanoseconds / SECOND);
	wait.tv_nsec = (s64)(nanoseconds % SECOND);
	ready = SYS(ppoll, p, OWN + own, waiting ? &soon : nanoseconds ? &wait : 0, 0, 0);
	if (ready < 0)
		return;
	if (!ready && saying && !waiting) {
		m.ended = m.ended * 2 < LAST_END ? m.ended * 2 : LAST_END;
		type_end();
	}
	if (p[SIGNALS].revents)
		read_signals();
	if (p[SOCKET].revents)
		read_child();
	if (p[JOB].revents)
		read_job();
	if (p[CONTROL].revents)
		read_control();
	clients_serve(p + OWN, own);
	if (waiting) {
		clients_give_up_the_slow();
		if (log_behind())
			log_write();
	}
	if (p[STDOUT].revents)
		write_foreground();
	if (p[STDIN].revents)
		read_input();
	if (to >= 0 && input_pending() && (p[MASTER].revents | p[IN].revents) & (POLLOUT | POLLERR | POLLHUP)) {
		write_input(to);
		if (!input_pending())
			clients_go_on();
	}
	if (m.master >= 0 && !behind() && p[MASTER].revents & (POLLIN | POLLERR | POLLHUP) &&
	    read_output(m.master, 1) == 0)
		close_fd(&m.master); /* the other side is closed; wait for the end of the process, not of the pty */
	for (int i = 0; i < 2; i++)
		if (m.out[i] >= 0 && !behind() && p[OUT + i].revents && read_output(m.out[i], (u32)i + 1) == 0)
			close_fd(&m.out[i]);
	if (p[CHILD].revents)
		close_fd(&m.pidfd);
}

/* Handles output that the process wrote before its end. A disk that stays full stops this. */
void drain(void)
{
	u64 until = 0;

	for (;;) {
		int sources[] = { m.master, m.out[0], m.out[1] }, got = 0;

		while (behind()) {
			if (!until)
				until = now(1) + 10 * SECOND;
			if (now(1) > until)
				return;
			if (foreground_behind())
				write_foreground();
			monitor_step(SECOND / 10);
		}
		until = 0;
		for (int i = 0; i < 3 && !got; i++)
			got = sources[i] >= 0 && read_output(sources[i], i == 2 ? 2 : 1) > 0;
		if (!got)
			return;
	}
}
