/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/op.h"
#include "ops/program.h"
#include "wire/reply.h"

int monitor_socket = -1;

static u8 exit_program[262144];
static size_t exit_program_length;

static int ignored(const struct frame *frame, long err)
{
	for (int i = 0; i < frame->nignored; i++)
		if (frame->ignored[i] == -err)
			return 1;
	return 0;
}

/* The current op `attempt`, whose program may fail with the errors that it ignores. */
static const struct frame *attempted;

/* Runs a program that may fail in known ways. The rest is skipped then, and what it opened stays open until execve. */
long op_attempt(const struct frame *frame)
{
	const struct frame *outer = attempted;
	long err;

	attempted = frame;
	err = program_run((const u8 *)frame->string[0].at, frame->string[0].length, 0);
	attempted = outer;
	/* The vectors of its execve do not belong to the outer program. */
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
		reply_queue(REPLY_IGNORED, (int)-value, frame->index, 0, NULL, 0);
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

OP(on_exit)
{
	return exit_program_set(frame->string[0]);
}
