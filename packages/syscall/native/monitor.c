/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `clone` makes the container's first process and turns the caller into its monitor, which passes
 * on signals, terminals, output and orders, writes down what becomes of it, starts it again where
 * that was asked for, and releases what it used.
 */
#include "monitor.h"
#include <linux/fcntl.h>
#include <linux/sched.h>
#include <linux/socket.h>
#include <linux/time_types.h>
#include <linux/wait.h>

#define SOCK_SEQPACKET_CLOEXEC (5 | O_CLOEXEC)
#define SECOND 1000000000ULL
/* Between restarts: doubling, as Docker has it, and anew after ten seconds of life. */
#define FIRST_PAUSE 100000000ULL
#define LONGEST_PAUSE (60 * SECOND)
/* A program that takes its terminal's settings over forgets what was typed before: it is said again, ever more seldom. */
#define FIRST_END (SECOND / 20)
#define LAST_END (4 * SECOND)
#define LONG_LIFE (10 * SECOND)

struct monitor m;
struct supervision supervision = { .events = -1, .directory = -1 };
/* Control frames are small but for the rest of a program. */
static u8 control[FRAME_MAX + 65536];
static size_t control_length;

u64 now(int clock)
{
	struct __kernel_timespec t = { 0 };

	SYS(clock_gettime, clock, &t);
	return (u64)t.tv_sec * SECOND + (u64)t.tv_nsec;
}

void forward_signal(int signo)
{
	if (m.pidfd >= 0)
		SYS(pidfd_send_signal, m.pidfd, signo, 0, 0);
}

/* The rest of a program, in parts that fit through the socket; op_wait puts them together. */
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
	case ORDER_STOP:
		m.stopping = 1;
		forward_signal((int)frame->number[0]);
		break;
	case ORDER_SIGNAL:
		forward_signal((int)frame->number[0]);
		break;
	case ORDER_RESIZE:
		set_window_size((int)frame->number[0], (int)frame->number[1]);
		break;
	case ORDER_GO:
		go(&frame->string[0]);
		break;
	case ORDER_INPUT:
		/* Who asks has seen to it that there is room. */
		if (frame->string[0].length <= 4096 && (m.in >= 0 || m.master >= 0)) {
			__builtin_memcpy(m.input, frame->string[0].at, frame->string[0].length);
			m.input_at = 0;
			m.input_end = (int)frame->string[0].length;
		}
		break;
	case ORDER_LEAVE:
		/* The process goes on as the child of whoever adopts it: an engine's own monitor. */
		replies_flush();
		exit_now(0);
		break;
	case ORDER_FOREGROUND:
		if (m.away) {
			m.away = 0;
			terminal_raw();
			take_window_size();
		}
		break;
	case ORDER_END_INPUT:
		if (m.in >= 0 && m.input_at == m.input_end) {
			SYS(close, m.in);
			m.in = -1;
		}
		break;
	}
}

/* The other end is gone: nobody waits for the result, so nothing of it may stay. */
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

static void read_control(void)
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

/* From the child: a pty's master, the news that it failed, or the end of file that exec makes. */
static void read_child(void)
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

/* From the init: its job stopped, and the terminal is the user's again; or a signal killed it. */
static void read_job(void)
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

/* Without who serves it the process is of no use, and would go on as if its disk had died. */
static void find_lost_servers(void)
{
	u32 index;

	while (server_lost(&index)) {
		reply(REPLY_FAILED, ESRCH, index, 0, NULL, 0);
		m.stopping = 1;
		forward_signal(9);
	}
}

static void read_signals(void)
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
		/* Who ends a monitor does not want its process again. */
		if (info[0] == SIGTERM)
			m.stopping = 1;
		forward_signal((int)info[0]);
	}
}

/* The user goes; the process stays, with those who come by the socket. */
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

static int input_pending(void)
{
	return m.input_at < m.input_end;
}

/* The end of a stdin that is no terminal: what a person would type for it. */
static void type_end(void)
{
	m.input[0] = 4;
	m.input_at = 0;
	m.input_end = 1;
}

static void read_input(void)
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

static void write_input(int to)
{
	long n = SYS(write, to, m.input + m.input_at, m.input_end - m.input_at);

	if (n == -EINTR || n == -EAGAIN)
		return;
	if (n < 0) /* the reader is gone: what it would have read is dropped */
		n = m.input_end - m.input_at;
	m.input_at += (int)n;
}

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

/* Take the next of what it wrote: 1, 0 at its end, -EAGAIN when there is nothing now. */
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

static void close_fd(int *fd)
{
	SYS(close, *fd);
	*fd = -1;
}

/* One round: wait (for so long at most), and see to whatever is ready. */
static void monitor_step(u64 nanoseconds)
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
		p[MASTER].fd = -1; /* else a hang-up would spin */
	if (unheard && m.control_open) {
		m.stopping = 1;
		forward_signal(9);
		unheard = 0;
	}
	/* A slow client or a full disk is looked after from time to time. */
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
		close_fd(&m.master); /* nobody holds the other side now; wait for the end, not for the pty */
	for (int i = 0; i < 2; i++)
		if (m.out[i] >= 0 && !behind() && p[OUT + i].revents && read_output(m.out[i], (u32)i + 1) == 0)
			close_fd(&m.out[i]);
	if (p[CHILD].revents)
		close_fd(&m.pidfd);
}

/* What the container wrote before its end, still on its way. A disk that stays full ends that. */
static void drain(void)
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

static long make_pipes(int child[3])
{
	for (int i = 0; i < 3; i++) {
		int ends[2];
		long err;

		if (!(i ? supervision.flags & SUPERVISE_LOG : supervision.flags & SUPERVISE_INPUT))
			continue;
		err = SYS(pipe2, ends, O_CLOEXEC);
		if (err < 0)
			return err;
		child[i] = ends[i ? 1 : 0];
		*(i ? &m.out[i - 1] : &m.in) = ends[i ? 0 : 1];
		SYS(fcntl, ends[i ? 0 : 1], F_SETFL, O_RDWR | O_NONBLOCK);
	}
	return 0;
}

/* Its stdio stays open here, too, for those that come after it. */
static void drop_pipes(int child[3])
{
	for (int i = 0; i < 3; i++)
		if (child[i] >= 0)
			close_fd(&child[i]);
}

/* Make the process. Returns in the parent only; what it leaves open is the process's stdio. */
static long begin(const struct frame *frame)
{
	struct clone_args args = { 0 };
	int pair[2], pidfd = -1, child[3] = { -1, -1, -1 };
	long pid = SYS(socketpair, AF_UNIX, SOCK_SEQPACKET_CLOEXEC, 0, pair);

	if (pid < 0)
		return pid;
	args.flags = (u64)frame->number[0] | CLONE_PIDFD;
	args.pidfd = (u64)(uintptr_t)&pidfd;
	args.exit_signal = SIGCHLD;
	if (frame->number[2] != -1) {
		int cgroup = slot_get(frame->number[2]);

		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (u64)cgroup;
		pid = cgroup == -EBADF ? -EBADF : 0;
	}
	if (pid >= 0)
		pid = make_pipes(child);
	replies_flush();
	if (pid >= 0)
		pid = SYS(clone3, &args, sizeof(args));
	if (pid < 0) {
		SYS(close, pair[0]);
		SYS(close, pair[1]);
		drop_pipes(child);
		return pid;
	}
	if (pid == 0) {
		long err = 0;

		SYS(close, pair[0]);
		monitor_socket = pair[1];
		for (int i = 0; i < 3 && err >= 0; i++)
			if (child[i] >= 0)
				err = SYS(dup3, child[i], i, 0);
		if (err >= 0)
			err = program_run((const u8 *)frame->string[0].at, frame->string[0].length, 0);
		replies_flush();
		if (err < 0)
			send_to_monitor('F', -1);
		exit_now(err < 0 ? 125 : 0);
	}
	SYS(close, pair[1]);
	drop_pipes(child);
	m.pid = (int)pid;
	m.pidfd = pidfd;
	m.socket = pair[0];
	m.master = -1;
	m.job = -1;
	m.job_signal = 0;
	m.started = now(0);
	record_started();
	if (frame->flags & OP_REPLY)
		reply(REPLY_OK, 0, frame->index, pid, NULL, 0);
	return 0;
}

static void reap(void)
{
	struct info info = { 0 };

	while (SYS(waitid, 1 /* P_PID */, m.pid, &info, WEXITED, 0) == -EINTR)
		;
	m.finished = now(0);
	/* What it said last. The socket of a short job may still be in there, so this comes first. */
	while (m.socket >= 0)
		read_child();
	while (m.job >= 0) /* nobody else has the other end */
		read_job();
	m.signal = info.code == EXITED_BY_ITSELF ? 0 : info.status & 0x7f;
	m.status = m.signal ? 128 + m.signal : info.status;
	if (m.job_signal && m.status == 128 + m.job_signal)
		m.signal = m.job_signal;
}

static void finish_life(void)
{
	while (m.pidfd >= 0)
		monitor_step(0);
	/* It stays a zombie for whoever adopts it, as long as that can still happen. */
	while (m.leaves && m.announced && m.control_open)
		monitor_step(0);
	reap();
	drain();
	if (m.master >= 0)
		close_fd(&m.master);
	for (int i = 0; i < 2; i++)
		if (m.out[i] >= 0)
			close_fd(&m.out[i]);
	if (m.in >= 0)
		close_fd(&m.in);
	m.input_at = m.input_end = 0;
	record_exited();
}

static int again(void)
{
	if (m.stopping || m.failed || supervision.restart == RESTART_NO)
		return 0;
	if (supervision.restart == RESTART_ALWAYS)
		return 1;
	return m.status != 0 && (supervision.restart_limit <= 0 || supervision.restarts < supervision.restart_limit);
}

static __attribute__((noreturn)) void monitor(const struct frame *frame)
{
	u64 mask = ALL_SIGNALS, pause = FIRST_PAUSE;

	const struct bytes *program = &frame->string[0];
	const u8 *orders;

	m.signals = (int)SYS(signalfd4, -1, &mask, sizeof(mask), O_CLOEXEC | O_NONBLOCK);
	/* Orders that came together with the program. */
	control_length = input_beyond(program->at + program->length + 1, &orders);
	__builtin_memcpy(control, orders, control_length);
	obey_control();
	for (;;) {
		u64 until;

		finish_life();
		if (!again())
			break;
		if (m.finished - m.started > LONG_LIFE)
			pause = FIRST_PAUSE;
		for (until = now(1) + pause; !m.stopping && now(1) < until;)
			monitor_step(until - now(1) + 1);
		pause = pause * 2 < LONGEST_PAUSE ? pause * 2 : LONGEST_PAUSE;
		supervision.restarts++;
		if (m.stopping || begin(frame) < 0)
			break;
	}
	terminal_restore();
	reply(REPLY_EXITED, m.signal, m.index, m.status, NULL, 0);
	exit_program_run();
	clients_tell_exited();
	exit_now(m.status);
	__builtin_unreachable();
}

/* How the monitor that `clone` makes will look after the process; see monitor.h for the flags. */
long op_supervise(const struct frame *frame)
{
	int directory = slot_get(frame->number[0]), events = frame->number[6] == -1 ? -1 : slot_get(frame->number[6]);

	if (directory == -EBADF || events == -EBADF)
		return -EBADF;
	if (supervision.set || frame->string[0].length > 4096 || frame->number[3] > 9 ||
	    frame->string[1].length > 32)
		return -EINVAL;
	supervision = (struct supervision){
		.set = 1,
		.directory = directory,
		.events = events,
		.flags = (u32)frame->number[1],
		.log_size = frame->number[2],
		.log_files = frame->number[3],
		.restart = (int)frame->number[4],
		.restart_limit = frame->number[5],
	};
	/* The frame's memory is the program's until the clone, and the clone's program lies after it. */
	{
		static char attributes[4096], keys[32];

		__builtin_memcpy(attributes, frame->string[0].at, frame->string[0].length);
		__builtin_memcpy(keys, frame->string[1].at, frame->string[1].length);
		supervision.attributes = (struct bytes){ attributes, frame->string[0].length };
		supervision.keys = (struct bytes){ keys, frame->string[1].length };
	}
	if (supervision.flags & SUPERVISE_LOG) {
		long err = log_open();

		if (err < 0)
			return err;
	}
	return supervision.flags & SUPERVISE_LISTEN ? clients_listen() : 0;
}

long op_clone(const struct frame *frame)
{
	long err;

	if (monitor_socket >= 0)
		return -EINVAL; /* one monitor, one child */
	m.index = frame->index;
	m.control_open = 1;
	m.in = m.out[0] = m.out[1] = -1;
	m.input_open = (frame->number[1] & CLONE_INPUT) != 0;
	m.leaves = (frame->number[1] & CLONE_LEAVES) != 0;
	m.ended = frame->number[1] & CLONE_ENDED ? FIRST_END : 0;
	/* Who looks after a detached process is nobody's terminal. */
	m.foreground = !(supervision.flags & SUPERVISE_DETACHED);
	err = begin(frame);
	if (err < 0)
		return err;
	m.away = (frame->number[1] & CLONE_AWAY) != 0;
	if (frame->number[1] & CLONE_RAW && !m.away)
		terminal_raw();
	monitor(frame);
}
