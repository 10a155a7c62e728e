/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/stream.h"
#include "ops/program.h"
#include "wire/reply.h"

static u8 input[FRAME_MAX + 65536];
static size_t input_length;

#define STATUS_FAILED 125

size_t stream_beyond(const char *end, const u8 **rest)
{
	*rest = (const u8 *)end;
	return (size_t)(input + input_length - *rest);
}

/* Reports a malformed stream like a failed op, with the index in its header if there is one. */
int stream_refuse(long err)
{
	u32 index = 0xffffffffu;

	if (input_length >= FRAME_HEADER)
		__builtin_memcpy(&index, input + 8, 4);
	reply(REPLY_FAILED, (int)-err, index, -1, NULL, 0);
	return STATUS_FAILED;
}

int stream_run(int check_only)
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
				return stream_refuse(length);
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
		replies_flush();
		if (unheard)
			return STATUS_FAILED;
		n = SYS(read, FRAMES_FD, input + input_length, sizeof(input) - input_length);
		if (n == -EINTR)
			continue;
		if (n < 0)
			return stream_refuse(n);
		if (n == 0)
			return input_length ? stream_refuse(-EPROTO) : 0;
		input_length += (size_t)n;
	}
}
