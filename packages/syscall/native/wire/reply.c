/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/reply.h"

/* Replies wait here until the buffer is full, or until an exec or the end of a program sends them. */
static u8 output[262144];
static size_t output_length;
int unheard, unread;
static int replies_fd = REPLIES_FD;

void replies_flush(void)
{
	size_t sent = 0;

	while (sent < output_length) {
		long n = SYS(write, replies_fd, output + sent, output_length - sent);

		if (n == -EINTR)
			continue;
		if (n <= 0) {
			/* The closed control pipe reports that nobody listens any more. */
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

void reply_queue(enum reply_kind kind, int err, u32 index, s64 value, const void *data, u32 length)
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
	reply_queue(REPLY_DATA, 0, index, 0, data, length);
}

void reply_content(u32 index, const void *data, u32 length)
{
	reply_queue(REPLY_CONTENT, 0, index, 0, data, length);
}

void reply(enum reply_kind kind, int err, u32 index, s64 value, const void *data, u32 length)
{
	reply_queue(kind, err, index, value, data, length);
	replies_flush();
}
