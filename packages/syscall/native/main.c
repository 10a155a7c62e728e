/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lamella-init: reads frames from descriptor 3 and runs them, one system call each, as they
 * arrive; reports on descriptor 4. No policy lives here: the program does, in TypeScript.
 */
#include "interpreter.h"
#include <linux/fcntl.h>
#include <linux/memfd.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif
#define SEALS 0x000f /* F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE */
#define CLOSE_RANGE_CLOEXEC_FLAG 4
#define STATUS_FAILED 125

int slots[SLOTS];
int monitor_socket = -1;

static u8 input[FRAME_MAX + 65536];
static size_t input_length;

/* Replies wait here until a full buffer, an exec or the end of a program sends them. */
static u8 output[262144];
static size_t output_length;
int unheard;
/* Nobody reads the replies any more. */
int unread;
static int replies_fd = REPLIES_FD;

static u8 exit_program[262144];
static size_t exit_program_length;

size_t input_beyond(const char *end, const u8 **rest)
{
	*rest = (const u8 *)end;
	return (size_t)(input + input_length - *rest);
}

/* @return where the text ends */
static char *append(char *at, const char *text)
{
	while (*text)
		*at++ = *text++;
	*at = 0;
	return at;
}

char *append_number(char *at, int number)
{
	int digits = 1;

	for (int v = number; v >= 10; v /= 10)
		digits++;
	at += digits;
	*at = 0;
	for (char *digit = at; digits; digits--, number /= 10)
		*--digit = (char)('0' + number % 10);
	return at;
}

char *descriptor_path(char *at, int fd)
{
	return append_number(append(at, "/proc/self/fd/"), fd);
}

void process_path(char *at, int pid, const char *file)
{
	append(append_number(append(at, "/proc/"), pid), file);
}

int slot_get(s64 slot)
{
	if (slot == SLOT_CWD)
		return AT_FDCWD;
	if (slot < 0 || slot >= SLOTS || slots[slot] < 0)
		return -EBADF;
	return slots[slot];
}

long slot_put(s64 slot, long fd)
{
	if (fd < 0)
		return fd;
	if (slot < 5 || slot >= SLOTS || slots[slot] >= 0) {
		SYS(close, fd);
		return -EBUSY;
	}
	slots[slot] = (int)fd;
	return fd;
}

void replies_flush(void)
{
	size_t sent = 0;

	while (sent < output_length) {
		long n = SYS(write, replies_fd, output + sent, output_length - sent);

		if (n == -EINTR)
			continue;
		if (n <= 0) {
			/* When nobody listens any more, the control pipe tells of it. */
			unheard |= n != -EPIPE;
			unread |= n == -EPIPE;
			break;
		}
		sent += (size_t)n;
	}
	output_length = 0;
}

void replies_to(int fd)
{
	replies_flush();
	replies_fd = fd;
}

void reply_header(u8 *at, enum reply_kind kind, int err, u32 index, s64 value, u32 length)
{
	u32 total = REPLY_HEADER + length;
	u16 head[2] = { (u16)kind, (u16)err };

	__builtin_memcpy(at, &total, 4);
	__builtin_memcpy(at + 4, head, 4);
	__builtin_memcpy(at + 8, &index, 4);
	__builtin_memcpy(at + 12, &value, 8);
}

static void queue(enum reply_kind kind, int err, u32 index, s64 value, const void *data, u32 length)
{
	u8 *at;

	if (output_length + REPLY_HEADER + length > sizeof(output))
		replies_flush();
	at = output + output_length;
	reply_header(at, kind, err, index, value, length);
	if (length)
		__builtin_memcpy(at + REPLY_HEADER, data, length);
	output_length += REPLY_HEADER + length;
}

void reply_data(u32 index, const void *data, u32 length)
{
	queue(REPLY_DATA, 0, index, 0, data, length);
}

void reply_content(u32 index, const void *data, u32 length)
{
	queue(REPLY_CONTENT, 0, index, 0, data, length);
}

void reply(enum reply_kind kind, int err, u32 index, s64 value, const void *data, u32 length)
{
	queue(kind, err, index, value, data, length);
	replies_flush();
}

static int ignored(const struct frame *frame, long err)
{
	for (int i = 0; i < frame->nignored; i++)
		if (frame->ignored[i] == -err)
			return 1;
	return 0;
}

/* The op `attempt` that is under way: its program may end with the errors that it ignores. */
static const struct frame *attempted;

/* Run a program that may fail in known ways; then the rest of it is left out, and what it opened stays open until execve. */
long op_attempt(const struct frame *frame)
{
	const struct frame *outer = attempted;
	long err;

	attempted = frame;
	err = program_run((const u8 *)frame->string[0].at, frame->string[0].length, 0);
	attempted = outer;
	/* The lists of its execve are not those of the program around it. */
	execve_forget();
	return err;
}

long frame_run(const struct frame *frame)
{
	long value = op_run(frame);

	if (value >= 0) {
		if (frame->flags & OP_REPLY)
			reply(REPLY_OK, 0, frame->index, value, NULL, 0);
		return 0;
	}
	if (frame->flags & OP_OPTIONAL && ignored(frame, value)) {
		queue(REPLY_IGNORED, (int)-value, frame->index, 0, NULL, 0);
		return 0;
	}
	if (!attempted || !ignored(attempted, value))
		reply(REPLY_FAILED, (int)-value, frame->index, 0, NULL, 0);
	return value;
}

long program_run(const u8 *at, size_t length, int keep_going)
{
	struct frame frame;
	long result = 0;

	execve_forget();
	while (length) {
		long used = frame_decode(at, length, &frame), err;

		if (used <= 0)
			return -EBADMSG;
		at += used;
		length -= (size_t)used;
		err = frame_run(&frame);
		if (err < 0 && !keep_going)
			return err;
		if (err < 0)
			result = err;
	}
	return result;
}

long exit_program_set(struct bytes program)
{
	if (program.length > sizeof(exit_program))
		return -EMSGSIZE;
	__builtin_memcpy(exit_program, program.at, program.length);
	exit_program_length = program.length;
	return 0;
}

void exit_program_run(void)
{
	size_t length = exit_program_length;

	exit_program_length = 0;
	program_run(exit_program, length, 1);
	replies_flush();
}

/* A malformed stream is reported like a failed op: the index is the one it claims, if any. */
static int refuse(long err)
{
	u32 index = 0xffffffffu;

	if (input_length >= FRAME_HEADER)
		__builtin_memcpy(&index, input + 8, 4);
	reply(REPLY_FAILED, (int)-err, index, -1, NULL, 0);
	return STATUS_FAILED;
}

static int read_and_run(int check_only)
{
	struct frame frame;

	for (;;) {
		size_t used = 0;
		long n;

		while (used < input_length) {
			long length = frame_decode(input + used, input_length - used, &frame);

			if (length == 0)
				break;
			if (length < 0) {
				__builtin_memmove(input, input + used, input_length -= used);
				return refuse(length);
			}
			if (check_only)
				reply(REPLY_OK, 0, frame.index, frame.opcode, NULL, 0);
			else if (frame_run(&frame) < 0)
				return STATUS_FAILED;
			execve_forget();
			used += (size_t)length;
		}
		input_length -= used;
		if (used && input_length)
			__builtin_memmove(input, input + used, input_length);
		if (output_length)
			replies_flush();
		if (unheard)
			return STATUS_FAILED;
		n = SYS(read, FRAMES_FD, input + input_length, sizeof(input) - input_length);
		if (n == -EINTR)
			continue;
		if (n < 0)
			return refuse(n);
		if (n == 0)
			return input_length ? refuse(-EPROTO) : 0;
		input_length += (size_t)n;
	}
}

/*
 * Run from a sealed copy in memory, so that no container can reach the file on the host's disk
 * through /proc/PID/exe (CVE-2019-5736). Returns only when that is impossible.
 */
static long reexec_sealed(char **argv, char **envp)
{
	static char copy[65536];
	long exe, memfd, n;

	memfd = SYS(memfd_create, "lamella-init", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
	if (memfd == -EINVAL) /* before 6.3 there is no MFD_EXEC, and no need of it */
		memfd = SYS(memfd_create, "lamella-init", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (memfd < 0)
		return memfd;
	exe = SYS(openat, AT_FDCWD, "/proc/self/exe", O_RDONLY | O_CLOEXEC, 0);
	if (exe < 0)
		return exe;
	while ((n = SYS(read, exe, copy, sizeof(copy))) > 0) {
		long written = SYS(write, memfd, copy, n);

		if (written != n)
			return written < 0 ? written : -ENOSPC;
	}
	if (n < 0)
		return n;
	SYS(close, exe);
	n = SYS(fcntl, memfd, F_ADD_SEALS, SEALS);
	if (n < 0)
		return n;
	return SYS(execveat, memfd, "", argv, envp, AT_EMPTY_PATH);
}

static int same(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

int lamella_main(int argc, char **argv, char **envp);
int lamella_main(int argc, char **argv, char **envp)
{
	static char *sealed[] = { "lamella-init", "sealed", NULL, NULL };
	unsigned descriptors = 0;
	int status;

	if (argc == 6 && same(argv[1], "front")) {
		argv[1] = "sealed-front";
		reexec_sealed(argv, envp);
		return front_not_sealed();
	}
	if (argc == 6 && same(argv[1], "sealed-front")) {
		status = front(argc, argv, envp);
		if (status != FRONT_INTERPRETER)
			return status;
		argc = 2;
		argv = sealed;
	}
	if (argc < 2 || argc > 3 || (!same(argv[1], "sealed") && !same(argv[1], "seal") && !same(argv[1], "check"))) {
		static const char usage[] =
			"lamella-init runs programs of system calls for @lamella/syscall; "
			"it is not meant to be started by hand.\n";

		SYS(write, 2, usage, sizeof(usage) - 1);
		return STATUS_FAILED;
	}
	if (same(argv[1], "seal")) {
		sealed[2] = argv[2];
		return refuse(reexec_sealed(sealed, envp));
	}
	/* How many descriptors from 5 on are for the program, see `inherited`. */
	for (const char *digit = argc == 3 ? argv[2] : ""; *digit >= '0' && *digit <= '9' && descriptors < 1000; digit++)
		descriptors = descriptors * 10 + (unsigned)(*digit - '0');
	SYS(prctl, 15 /* PR_SET_NAME */, "lamella-init", 0, 0, 0); /* else the memfd's name */
	set_signal_mask(ALL_SIGNALS);
	SYS(close_range, 5 + descriptors, ~0U, 0);
	SYS(close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC_FLAG);
	for (int i = 0; i < SLOTS; i++)
		slots[i] = i < 3 ? i : -1;
	status = read_and_run(same(argv[1], "check"));
	exit_program_run();
	return status;
}
