/* SPDX-License-Identifier: Apache-2.0 */
/* What the process, its init and the kernel report to the monitor. */
#include "monitor/monitor.h"
#include "base/send.h"
#include "wire/reply.h"
#include <linux/fcntl.h>

/* Reads from the child: the master of a pty, a failure, or the end of file that exec causes. */
void read_child(void)
{
	char what = 0;
	int fd = -1;
	long n = receive(m.socket, &what, 1, &fd);

	if (n == -EINTR)
		return;
	if (n > 0 && what == 'T' && fd >= 0) {
		if (m.master >= 0)
			SYS(close, m.master);
		m.master = fd;
		SYS(fcntl, fd, F_SETFL, O_RDWR | O_NONBLOCK);
		take_window_size();
		return;
	}
	if (n > 0 && what == 'J' && fd >= 0) {
		if (m.job >= 0)
			SYS(close, m.job);
		m.job = fd;
		return;
	}
	if (fd >= 0)
		SYS(close, fd);
	if (n > 0 && what == 'F')
		m.failed = 1;
	if (n > 0)
		return;
	SYS(close, m.socket);
	m.socket = -1;
	if (m.failed)
		return;
	m.announced = 1;
	record_announced();
	reply(REPLY_STARTED, 0, m.index, m.pid, NULL, 0);
	clients_tell_started();
}

/* Reads from the init: its job has stopped, and the terminal belongs to the user again; or a signal killed the job. */
void read_job(void)
{
	u8 message[2];
	long n = SYS(recvfrom, m.job, message, sizeof(message), 0, NULL, NULL);

	if (n == -EINTR)
		return;
	if (n != sizeof(message)) {
		SYS(close, m.job);
		m.job = -1;
		return;
	}
	if (message[0] == JOB_KILLED) {
		m.job_signal = message[1];
		return;
	}
	m.away |= m.raw;
	terminal_restore();
	reply(REPLY_STOPPED, message[1], m.index, 0, NULL, 0);
}

/* Ends the process if one of its servers is lost: it would continue with a dead filesystem. */
static void find_lost_servers(void)
{
	u32 index;

	while (server_lost(&index)) {
		reply(REPLY_FAILED, ESRCH, index, 0, NULL, 0);
		m.stopping = 1;
		forward_signal(9);
	}
}

void read_signals(void)
{
	/* struct signalfd_siginfo is 128 bytes and begins with the signal's number. */
	u32 info[32];

	if (SYS(read, m.signals, info, sizeof(info)) != sizeof(info))
		return;
	switch (info[0]) {
	case SIGCHLD:
		find_lost_servers();
		break;
	case SIGPIPE:
	case SIGTSTP:
	case SIGTTIN:
	case SIGTTOU:
	case SIGCONT:
		break;
	case SIGWINCH:
		take_window_size();
		break;
	default:
		/* SIGTERM for the monitor also means: do not restart the process. */
		if (info[0] == SIGTERM)
			m.stopping = 1;
		forward_signal((int)info[0]);
	}
}
