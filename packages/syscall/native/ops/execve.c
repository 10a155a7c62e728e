/* SPDX-License-Identifier: Apache-2.0 */
/* Execution of another program in this process. */
#include "ops/op.h"
#include "ops/program.h"
#include "wire/reply.h"

/*
 * The most strings that execve(2) takes, with both ends: that many empty ones and their pointers fill 6 MiB. The vectors
 * of the last execve are kept for the next one of the same program, so that a search of PATH sends them once.
 */
#define VECTORS_MAX (6u * 1024 * 1024 / 9 + 3)
static const char *vectors[VECTORS_MAX];
static s64 kept_argc = -1, kept_envc = -1;

void execve_forget(void)
{
	kept_argc = kept_envc = -1;
}

/* Splits a block of NUL-terminated strings into a vector for execve. */
static long vector(const struct bytes *block, s64 count, const char **out, size_t room)
{
	const char *at = block->at;
	u32 left = block->length;

	if (count < 0 || (u64)count >= room)
		return -E2BIG;
	for (s64 i = 0; i < count; i++) {
		u32 n = 0;

		while (n < left && at[n])
			n++;
		if (n == left)
			return -EBADMSG;
		out[i] = at;
		at += n + 1;
		left -= n + 1;
	}
	out[count] = NULL;
	return left ? -EBADMSG : 0;
}

/* Takes both vectors from the frame, or those of the last execve. */
static long take_vectors(const struct frame *frame)
{
	s64 argc = N(0), envc = N(1);
	long err;

	if (argc == -1 && envc == -1)
		return kept_argc < 0 || LEN(1) || LEN(2) ? -EINVAL : 0;
	execve_forget();
	err = vector(&frame->string[1], argc, vectors, VECTORS_MAX);
	if (!err)
		err = vector(&frame->string[2], envc, vectors + argc + 1, VECTORS_MAX - (size_t)argc - 1);
	if (err)
		return err;
	kept_argc = argc;
	kept_envc = envc;
	return 0;
}

OP(execve)
{
	long err = take_vectors(frame);

	if (err)
		return err;
	replies_flush();
	set_signal_mask(0);
	err = SYS(execve, S(0), vectors, vectors + kept_argc + 1);
	set_signal_mask(ALL_SIGNALS);
	return err;
}
