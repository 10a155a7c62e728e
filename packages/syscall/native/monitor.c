/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes: `clone` makes the container's first one and turns the caller into its monitor;
 * `init` puts a reaper between pid 1 and the user's program; `pty` and `wait` talk to the monitor.
 */
#include "interpreter.h"
#include <asm/ioctls.h>
#include <asm/signal.h>
#include <asm/termbits.h>
#include <linux/fcntl.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/socket.h>
#include <linux/time_types.h>
#include <linux/wait.h>

#ifndef AF_UNIX
#define AF_UNIX 1
#endif
#define SOCK_SEQPACKET_CLOEXEC (5 | O_CLOEXEC)
#define SCM_RIGHTS_TYPE 1
#define SOL_SOCKET_LEVEL 1
#define MSG_NOSIGNAL_FLAG 0x4000
#define MSG_CMSG_CLOEXEC_FLAG 0x40000000

/* The kernel's siginfo as waitid and rt_sigtimedwait fill it, as far as we read it. */
struct info {
	int signo, err, code, pad;
	int pid, uid, status;
	u8 rest[100];
};
#define EXITED_BY_ITSELF 1 /* CLD_EXITED */

struct winsize {
	unsigned short rows, cols, x, y;
};

struct message {
	void *name;
	u32 name_length, pad;
	struct span {
		void *at;
		u64 length;
	} *spans;
	u64 spans_length;
	void *control;
	u64 control_length;
	u32 flags, pad2;
};

struct passed {
	u64 length;
	int level, type;
	int fd, pad;
};

/* Flags of the clone op beside the kernel's own. */
enum {
	CLONE_RAW = 2,      /* stdin is a terminal of the user's: raw while this runs */
	CLONE_INPUT = 4,    /* stdin is read for the pty; else nobody types */
};

static long send_to_monitor(char what, int fd)
{
	struct span span = { &what, 1 };
	struct passed passed = { 20, SOL_SOCKET_LEVEL, SCM_RIGHTS_TYPE, fd, 0 };
	struct message message = { .spans = &span, .spans_length = 1 };

	if (fd >= 0) {
		message.control = &passed;
		message.control_length = sizeof(passed);
	}
	return SYS(sendmsg, monitor_socket, &message, MSG_NOSIGNAL_FLAG);
}

/* 0 at the end of the conversation; `*fd` is set when one came along. */
static long receive(int socket, char *what, int *fd)
{
	struct span span = { what, 1 };
	struct passed passed = { 0 };
	struct message message = {
		.spans = &span,
		.spans_length = 1,
		.control = &passed,
		.control_length = sizeof(passed),
	};
	long n = SYS(recvmsg, socket, &message, MSG_CMSG_CLOEXEC_FLAG);

	if (n > 0 && passed.length >= 20 && passed.type == SCM_RIGHTS_TYPE)
		*fd = passed.fd;
	return n;
}

struct monitor {
	int pid, pidfd, socket, signals, master;
	u32 index;
	int control_open, input_open, raw, failed, announced;
	struct termios saved;
	/* What was read and not yet written: towards the container, and from it. */
	char in[4096], out[4096];
	int in_at, in_end, out_at, out_end;
};

static struct monitor m;
/* Control frames are small: a signal, a size, a word. */
static u8 control[4096];
static size_t control_length;

static void terminal_raw(void)
{
	struct termios raw;

	if (SYS(ioctl, 0, TCGETS, &m.saved) < 0)
		return;
	reply(REPLY_TERMINAL, 0, m.index, 0, &m.saved, sizeof(m.saved));
	raw = m.saved;
	raw.c_iflag &= ~(u32)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
	raw.c_oflag &= ~(u32)OPOST;
	raw.c_lflag &= ~(u32)(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
	raw.c_cflag = (raw.c_cflag & ~(u32)(CSIZE | PARENB)) | CS8;
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	m.raw = SYS(ioctl, 0, TCSETS, &raw) == 0;
}

static void terminal_restore(void)
{
	if (m.raw)
		SYS(ioctl, 0, TCSETS, &m.saved);
	m.raw = 0;
}

static void take_window_size(void)
{
	struct winsize size;

	if (m.master >= 0 && SYS(ioctl, 0, TIOCGWINSZ, &size) == 0 && size.rows)
		SYS(ioctl, m.master, TIOCSWINSZ, &size);
}

static void forward_signal(int signo)
{
	if (m.pidfd >= 0)
		SYS(pidfd_send_signal, m.pidfd, signo, 0, 0);
}

static void obey(const struct frame *frame)
{
	if (frame->opcode == 200) {
		forward_signal((int)frame->number[0]);
	} else if (frame->opcode == 201 && m.master >= 0) {
		struct winsize size = { (unsigned short)frame->number[0],
					(unsigned short)frame->number[1], 0, 0 };

		SYS(ioctl, m.master, TIOCSWINSZ, &size);
	} else if (frame->opcode == 202) {
		SYS(sendto, m.socket, "G", 1, MSG_NOSIGNAL_FLAG, 0, 0);
	}
}

/* The other end is gone: nobody waits for the result, so nothing of it may stay. */
static void abandon(void)
{
	m.control_open = 0;
	forward_signal(9);
}

static void read_control(void)
{
	struct frame frame;
	long n = SYS(read, FRAMES_FD, control + control_length, sizeof(control) - control_length);

	if (n == -EINTR || n == -EAGAIN)
		return;
	if (n <= 0) {
		abandon();
		return;
	}
	control_length += (size_t)n;
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

/* From the child: a pty's master, the news that it failed, or the end of file that exec makes. */
static void read_child(void)
{
	char what = 0;
	int fd = -1;
	long n = receive(m.socket, &what, &fd);

	if (n == -EINTR)
		return;
	if (n > 0 && what == 'T' && fd >= 0) {
		m.master = fd;
		SYS(fcntl, fd, F_SETFL, O_RDWR | O_NONBLOCK);
		take_window_size();
		return;
	}
	if (n > 0 && what == 'F')
		m.failed = 1;
	if (n > 0)
		return;
	SYS(close, m.socket);
	m.socket = -1;
	if (!m.failed)
		reply(REPLY_STARTED, 0, m.index, m.pid, NULL, 0);
	m.announced = 1;
}

static void read_signals(void)
{
	/* struct signalfd_siginfo is 128 bytes and begins with the signal's number. */
	u32 info[32];

	if (SYS(read, m.signals, info, sizeof(info)) != sizeof(info))
		return;
	switch (info[0]) {
	case SIGCHLD:
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
		forward_signal((int)info[0]);
	}
}

static void pump(int from, int to, char *buffer, size_t size, int *at, int *end, short events_from,
		 short events_to, int *open)
{
	if (*at == *end && events_from) {
		long n = SYS(read, from, buffer, size);

		if (n == -EINTR || n == -EAGAIN)
			return;
		*at = 0;
		*end = n > 0 ? (int)n : 0;
		if (n <= 0)
			*open = 0;
	} else if (*at < *end && events_to) {
		long n = SYS(write, to, buffer + *at, *end - *at);

		if (n == -EINTR || n == -EAGAIN)
			return;
		if (n < 0) /* the reader is gone: what it would have read is dropped */
			n = *end - *at;
		*at += (int)n;
	}
}

enum { CONTROL, CHILD, SOCKET, SIGNALS, MASTER, STDIN, STDOUT, POLLED };

static int pending(int at, int end)
{
	return at < end;
}

static void monitor_step(void)
{
	struct pollfd p[POLLED] = {
		[CONTROL] = { m.control_open ? FRAMES_FD : -1, POLLIN, 0 },
		[CHILD] = { m.pidfd, POLLIN, 0 },
		[SOCKET] = { m.socket, POLLIN, 0 },
		[SIGNALS] = { m.signals, POLLIN, 0 },
		[MASTER] = { m.master, 0, 0 },
		[STDIN] = { -1, POLLIN, 0 },
		[STDOUT] = { -1, POLLOUT, 0 },
	};
	int master_open = 1;

	if (m.master >= 0) {
		if (pending(m.in_at, m.in_end))
			p[MASTER].events |= POLLOUT;
		else if (m.input_open)
			p[STDIN].fd = 0;
		if (pending(m.out_at, m.out_end))
			p[STDOUT].fd = 1;
		else
			p[MASTER].events |= POLLIN;
		if (!p[MASTER].events)
			p[MASTER].fd = -1; /* else a hang-up would spin */
	}
	if (SYS(ppoll, p, POLLED, 0, 0, 0) < 0)
		return;
	if (p[SIGNALS].revents)
		read_signals();
	if (p[SOCKET].revents)
		read_child();
	if (p[CONTROL].revents)
		read_control();
	if (m.master >= 0) {
		int had_input = m.input_open;

		pump(0, m.master, m.in, sizeof(m.in), &m.in_at, &m.in_end, p[STDIN].revents,
		     p[MASTER].revents & (POLLOUT | POLLERR | POLLHUP), &m.input_open);
		if (had_input && !m.input_open) {
			/* End of a piped stdin: what a person would type for it. */
			m.in[0] = 4;
			m.in_at = 0;
			m.in_end = 1;
		}
		pump(m.master, 1, m.out, sizeof(m.out), &m.out_at, &m.out_end,
		     p[MASTER].revents & (POLLIN | POLLERR | POLLHUP), p[STDOUT].revents,
		     &master_open);
		if (!master_open) {
			/* Nobody holds the other side now; wait for the end, not for the pty. */
			SYS(close, m.master);
			m.master = -1;
		}
	}
	if (p[CHILD].revents) {
		SYS(close, m.pidfd);
		m.pidfd = -1;
	}
}

/* What the container wrote before its end, still in the pty. */
static void drain_terminal(void)
{
	while (m.master >= 0 || pending(m.out_at, m.out_end)) {
		if (!pending(m.out_at, m.out_end)) {
			long n = SYS(read, m.master, m.out, sizeof(m.out));

			if (n <= 0)
				return;
			m.out_at = 0;
			m.out_end = (int)n;
		}
		while (pending(m.out_at, m.out_end)) {
			long n = SYS(write, 1, m.out + m.out_at, m.out_end - m.out_at);

			if (n < 0 && n != -EINTR)
				return;
			if (n > 0)
				m.out_at += (int)n;
		}
	}
}

static __attribute__((noreturn)) void monitor(void)
{
	struct info info = { 0 };
	u64 mask = ALL_SIGNALS;
	int status, signal;

	m.signals = (int)SYS(signalfd4, -1, &mask, sizeof(mask), O_CLOEXEC | O_NONBLOCK);
	while (m.pidfd >= 0)
		monitor_step();
	while (SYS(waitid, 1 /* P_PID */, m.pid, &info, WEXITED, 0) == -EINTR)
		;
	while (m.socket >= 0) /* what it said last */
		read_child();
	drain_terminal();
	terminal_restore();
	signal = info.code == EXITED_BY_ITSELF ? 0 : info.status & 0x7f;
	status = signal ? 128 + signal : info.status;
	reply(REPLY_EXITED, signal, m.index, status, NULL, 0);
	exit_program_run();
	exit_now(status);
	__builtin_unreachable();
}

long op_clone(const struct frame *frame)
{
	struct clone_args args = { 0 };
	int pair[2], pidfd = -1;
	long pid;

	if (monitor_socket >= 0)
		return -EINVAL; /* one monitor, one child */
	pid = SYS(socketpair, AF_UNIX, SOCK_SEQPACKET_CLOEXEC, 0, pair);
	if (pid < 0)
		return pid;
	args.flags = (u64)frame->number[0] | CLONE_PIDFD;
	args.pidfd = (u64)(uintptr_t)&pidfd;
	args.exit_signal = SIGCHLD;
	if (frame->number[2] != -1) {
		int cgroup = slot_get(frame->number[2]);

		if (cgroup == -EBADF) {
			SYS(close, pair[0]);
			SYS(close, pair[1]);
			return -EBADF;
		}
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (u64)cgroup;
	}
	replies_flush();
	pid = SYS(clone3, &args, sizeof(args));
	if (pid < 0) {
		SYS(close, pair[0]);
		SYS(close, pair[1]);
		return pid;
	}
	if (pid == 0) {
		long err;

		SYS(close, pair[0]);
		monitor_socket = pair[1];
		err = program_run((const u8 *)frame->string[0].at, frame->string[0].length, 0);
		replies_flush();
		if (err < 0)
			send_to_monitor('F', -1);
		exit_now(err < 0 ? 125 : 0);
	}
	SYS(close, pair[1]);
	m.pid = (int)pid;
	m.pidfd = pidfd;
	m.socket = pair[0];
	m.master = -1;
	m.index = frame->index;
	m.control_open = 1;
	m.input_open = (frame->number[1] & CLONE_INPUT) != 0;
	if (frame->number[1] & CLONE_RAW)
		terminal_raw();
	monitor();
}

/* Block until the monitor is told to go; its end ends us too. */
long op_wait(const struct frame *frame)
{
	char what = 0;
	int fd = -1;
	long n;

	(void)frame;
	if (monitor_socket < 0)
		return -EINVAL;
	do
		n = receive(monitor_socket, &what, &fd);
	while (n == -EINTR);
	return n > 0 && what == 'G' ? 0 : -EOWNERDEAD;
}

/*
 * Open a new terminal in the devpts that slot number[0] holds; its master goes to the monitor,
 * its slave into slot number[5]. number[1..4]: rows, columns (0: the monitor knows), uid, gid.
 */
long op_pty(const struct frame *frame)
{
	int devpts = slot_get(frame->number[0]), unlocked = 0;
	struct winsize size = { (unsigned short)frame->number[1], (unsigned short)frame->number[2], 0, 0 };
	long master, slave, err;

	if (devpts == -EBADF || monitor_socket < 0)
		return -EBADF;
	master = SYS(openat, devpts, "ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC, 0);
	if (master < 0)
		return master;
	err = SYS(ioctl, master, TIOCSPTLCK, &unlocked);
	if (!err && size.rows && size.cols)
		err = SYS(ioctl, master, TIOCSWINSZ, &size);
	slave = err < 0 ? err : SYS(ioctl, master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave >= 0)
		err = SYS(fchown, slave, frame->number[3], frame->number[4]);
	if (slave >= 0 && !err)
		err = send_to_monitor('T', (int)master);
	SYS(close, master);
	if (slave < 0)
		return slave;
	if (err < 0) {
		SYS(close, slave);
		return err;
	}
	return slot_put(frame->number[5], slave);
}

/*
 * Fork: the child goes on with the program, this process stays as pid 1, reaps whatever is left
 * to it, passes signals on, and ends with the child's status.
 */
long op_init(const struct frame *frame)
{
	long child;

	(void)frame;
	replies_flush();
	/* Not clone3: seccomp filters, which are there already, cannot see its flags and refuse it. */
	child = SYS(clone, SIGCHLD, 0, 0, 0, 0);
	if (child <= 0)
		return child;
	SYS(close_range, 0, ~0U, 0);
	for (;;) {
		struct info info = { 0 };
		u64 mask = ALL_SIGNALS;
		long signo = SYS(rt_sigtimedwait, &mask, &info, 0, sizeof(mask));

		if (signo > 0 && signo != SIGCHLD)
			SYS(kill, child, signo);
		for (;;) {
			struct info dead = { 0 };

			if (SYS(waitid, 0 /* P_ALL */, 0, &dead, WEXITED | WNOHANG, 0) < 0 || !dead.pid)
				break;
			if (dead.pid == child)
				exit_now(dead.code == EXITED_BY_ITSELF ? dead.status
								       : 128 + (dead.status & 0x7f));
		}
	}
}
