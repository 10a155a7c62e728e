/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replaces Node while a container runs. Node executes this program, which has the interpreter as its child, forwards
 * signals to it, and exits with the status of the container. After a failure it executes Node again with all replies,
 * and Node explains the failure.
 *
 *   lamella-init front STDIN NODE SCRIPT WORD
 *
 * STDIN is 1 if the container reads stdin. It is d for a detached container: then this program ends when
 * the command has begun. The environment has:
 *   LAMELLA_PROGRAM  the frames of the program in base64; not an argument, because others can read arguments
 *   LAMELLA_LEFT     the text for users who detach from the container; of STDIN d, what is printed to stdout
 *   LAMELLA_MAPS     the commands that map ids into the user namespace of the first op: one per line, words separated by
 *                    tabs, PID for the process
 * The explanation is NODE SCRIPT WORD STATUS, with the replies in descriptor 3 and the wait status of the interpreter.
 */
#include "front/front.h"
#include "base/environment.h"
#include "base/send.h"
#include "base/text.h"
#include "wire/reply.h"
#include <asm/ioctls.h>
#include <linux/fcntl.h>
#include <linux/memfd.h>

#define FIRST_OWN_FD 10
#define READS_STDIN '1'
#define LEAVES 'd'
#define ENDED_BY_ITSELF(status) (((status) & 0x7f) == 0)

/* The most that execve(2) takes in one string. */
static u8 frames[98304];

struct kernel_sigaction {
	void *handler;
	unsigned long flags;
	void *restorer;
	u64 mask;
};

static int digit_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Decodes base64 (RFC 4648) without padding. Returns -1 if the text is invalid or too long. */
static long decode(const char *text)
{
	size_t length = 0;
	u32 bits = 0;
	int count = 0;

	for (; *text; text++) {
		int digit = digit_of(*text);

		if (digit < 0 || length == sizeof(frames))
			return -1;
		bits = bits << 6 | (u32)digit;
		count += 6;
		if (count < 8)
			continue;
		count -= 8;
		frames[length++] = (u8)(bits >> count);
	}
	return (long)length;
}

static int give_up(const char *why)
{
	say(why);
	return 125;
}

int front_not_sealed(void)
{
	return give_up("lamella: lamella-init cannot run from a sealed memfd\n  sysctl vm.memfd_noexec=2 or a security module forbids that here.\n");
}

/* The command that explains a failure: Node, its script, and a word. The status follows. */
static char explainer[3][4096];

/* Copies the words for this program and clears them from the arguments that ps(1) shows. */
static int take_words(char **argv)
{
	char *end = argv[5] + length_of(argv[5]);

	for (int i = 0; i < 3; i++) {
		size_t length = length_of(argv[3 + i]);

		if (length >= sizeof(explainer[i]))
			return -1;
		__builtin_memcpy(explainer[i], argv[3 + i], length + 1);
	}
	__builtin_memset(argv[1], 0, (size_t)(end - argv[1]));
	return 0;
}

/* Sets the arguments of the interpreter that ps(1) shows. */
static void take_name(char *title)
{
	static const char name[] = "lamella-init";
	size_t length = length_of(title), room = length < sizeof(name) ? length : sizeof(name) - 1;

	__builtin_memset(title, 0, length);
	__builtin_memcpy(title, name, room);
}

static int explain(char **envp, int told, char *word)
{
	char *words[] = { explainer[0], explainer[1], explainer[2], word, NULL };

	SYS(lseek, told, 0, 0);
	SYS(dup3, told, 3, 0);
	set_signal_mask(0);
	SYS(execve, words[0], words, envp);
	return give_up("lamella: the container failed, and what there is to say about it cannot be said: Node cannot be executed\n");
}

/* Waits until the first op has made the user namespace, or has failed. */
static void await_first(int replies, int told)
{
	u8 chunk[256];

	while (!seen.ok && !seen.failed) {
		long n = SYS(read, replies, chunk, sizeof(chunk));

		if (n == -EINTR)
			continue;
		if (n <= 0)
			return;
		look_at(chunk, (size_t)n);
		write_all(told, chunk, (size_t)n);
	}
}

/* Sends the program. Returns 0 if its ids could not be mapped, else 1. */
static int send_program(size_t length, int orders, int replies, int told, const char *maps, long interpreter)
{
	u32 first = (u32)length;

	if (*maps) {
		__builtin_memcpy(&first, frames, sizeof(first));
		write_all(orders, frames, first);
		await_first(replies, told);
		if (seen.ok && !map_ids(maps, interpreter))
			return 0;
		write_all(orders, frames + first, length - first);
		return 1;
	}
	/* An interpreter that has ended has replied why. */
	write_all(orders, frames, length);
	return 1;
}

/* Moves a descriptor above the numbers that have a meaning. */
static int own(int fd)
{
	long moved = SYS(fcntl, fd, F_DUPFD_CLOEXEC, FIRST_OWN_FD);

	SYS(close, fd);
	return (int)moved;
}

static void begin(char mode, int from, int to)
{
	SYS(dup3, from, FRAMES_FD, O_CLOEXEC);
	SYS(dup3, to, REPLIES_FD, O_CLOEXEC);
	if (mode != READS_STDIN) {
		long null = SYS(openat, AT_FDCWD, "/dev/null", O_RDWR, 0);

		for (int fd = 0; fd < (mode == LEAVES ? 3 : 1); fd++)
			SYS(dup3, null, fd, 0);
	}
	SYS(chdir, "/");
}

/* Prints what a detached container leaves for its user. Its exit status: see OutputError in the CLI. */
static int print(const char *text)
{
	size_t length = length_of(text);
	long n = 0;

	for (; length; text += n, length -= (size_t)n) {
		n = SYS(write, 1, text, length);
		if (n == -EINTR)
			n = 0;
		if (n < 0)
			break;
	}
	if (n >= 0)
		return 0;
	if (n == -EPIPE)
		return 128 + SIGPIPE;
	say("lamella: cannot write to stdout: ");
	say(n == -ENOSPC ? "no space left on the device (ENOSPC)\n" :
	    n == -EIO	 ? "input/output error (EIO)\n" :
	    n == -EBADF	 ? "the descriptor is closed (EBADF)\n" :
	    n == -EDQUOT ? "disk quota exceeded (EDQUOT)\n" :
	    n == -EFBIG	 ? "file too large (EFBIG)\n" :
			   "the kernel refused it\n");
	return 125;
}

int front(int argc, char **argv, char **envp)
{
	/* Stop signals are not blocked, so they stop this process together with the container. */
	u64 blocked = ALL_SIGNALS & ~(1ULL << (SIGTSTP - 1) | 1ULL << (SIGTTIN - 1) | 1ULL << (SIGTTOU - 1));
	struct kernel_sigaction by_default = { 0 }, ignored = { (void *)1 /* SIG_IGN */, 0, NULL, 0 };
	const char *text = variable(envp, "LAMELLA_PROGRAM"), *maps = variable(envp, "LAMELLA_MAPS");
	long length = text ? decode(text) : -1, child, told;
	int orders[2], replies[2], status = 0, mapped;
	char mode = argc == 6 ? argv[2][0] : 0;
	char number[12];

	if (argc != 6 || length < 0 || take_words(argv) < 0)
		return give_up("lamella: what was to be run did not arrive; this is a defect\n");
	told = SYS(memfd_create, "lamella-replies", MFD_CLOEXEC);
	if (told < 0 || SYS(pipe2, orders, O_CLOEXEC) < 0 || SYS(pipe2, replies, O_CLOEXEC) < 0)
		return give_up("lamella: no descriptors are left to start the container with: see ulimit -n\n");
	told = own((int)told);
	for (int i = 0; i < 2; i++) {
		orders[i] = own(orders[i]);
		replies[i] = own(replies[i]);
		if (orders[i] < 0 || replies[i] < 0 || told < 0)
			return give_up("lamella: no descriptors are left to start the container with: see ulimit -n\n");
	}
	/* Node ignores some signals, and the container must not inherit that. */
	for (int signo = 1; signo < 32; signo++)
		SYS(rt_sigaction, signo, &by_default, 0, sizeof(by_default.mask));
	set_signal_mask(blocked);
	child = SYS(clone, SIGCHLD, 0, 0, 0, 0);
	if (child < 0)
		return give_up("lamella: no processes are left to start the container with: see ulimit -u, and pids.max of its cgroup\n");
	if (!child) {
		take_name(argv[0]);
		begin(mode, orders[0], replies[1]);
		return FRONT_INTERPRETER;
	}
	SYS(close, orders[0]);
	SYS(close, replies[1]);
	SYS(rt_sigaction, SIGPIPE, &ignored, 0, sizeof(ignored.mask));
	SYS(prctl, 15 /* PR_SET_NAME */, "lamella", 0, 0, 0);
	mapped = send_program((size_t)length, orders[1], replies[0], (int)told, maps ? maps : "", child);
	if (!mapped)
		SYS(close, orders[1]);
	listen_to(replies[0], orders[1], (int)told, blocked, mode == LEAVES);
	if (mode == LEAVES && seen.started && !seen.failed) {
		text = variable(envp, "LAMELLA_LEFT");
		return print(text ? text : "");
	}
	if (seen.detached) {
		text = variable(envp, "LAMELLA_LEFT");
		say(text ? text : "");
		return 0;
	}
	while (SYS(wait4, child, &status, 0, 0) == -EINTR)
		;
	if (seen.exited && !seen.failed && ENDED_BY_ITSELF(status))
		return seen.status;
	/* A killed monitor could not restore the terminal. */
	if (!ENDED_BY_ITSELF(status) && seen.settings_length)
		SYS(ioctl, 0, TCSETS, seen.settings);
	append_number(number, status);
	return explain(envp, (int)told, mapped ? number : "unmapped");
}
