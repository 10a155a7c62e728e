/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/frame.h"

/* A clone inside a clone inside an exit program is deeper than any real program. */
#define MAX_DEPTH 4

static u16 load16(const u8 *p)
{
	return (u16)(p[0] | p[1] << 8);
}

static u32 load32(const u8 *p)
{
	return (u32)p[0] | (u32)p[1] << 8 | (u32)p[2] << 16 | (u32)p[3] << 24;
}

static s64 load64(const u8 *p)
{
	return (s64)((u64)load32(p) | (u64)load32(p + 4) << 32);
}

static int has_nul(const u8 *p, u32 length)
{
	for (u32 i = 0; i < length; i++)
		if (!p[i])
			return 1;
	return 0;
}

static long decode_string(const u8 *body, size_t size, size_t *offset, char kind, struct bytes *out,
			  int depth)
{
	u32 length;

	if (size - *offset < 4)
		return -EBADMSG;
	length = load32(body + *offset);
	*offset += 4;
	if (length == NULL_STRING) {
		if (kind != 'o' && kind != 'n')
			return -EBADMSG;
		out->at = NULL;
		out->length = 0;
		return 0;
	}
	if (size - *offset < (size_t)length + 1 || length >= FRAME_MAX)
		return -EBADMSG;
	if (body[*offset + length] != 0)
		return -EBADMSG;
	if ((kind == 'z' || kind == 'o') && has_nul(body + *offset, length))
		return -EBADMSG;
	if (kind == 'p') {
		long err = program_check(body + *offset, length, depth + 1);

		if (err < 0)
			return err;
	}
	out->at = (const char *)(body + *offset);
	out->length = length;
	*offset += (size_t)length + 1;
	return 0;
}

static long decode(const u8 *at, size_t available, struct frame *out, int depth)
{
	const struct shape *shape;
	size_t offset = FRAME_HEADER;
	u32 length;

	if (available < 4)
		return 0;
	length = load32(at);
	if (length > FRAME_MAX)
		return -EMSGSIZE;
	if (length < FRAME_HEADER)
		return -EBADMSG;
	if (available < length)
		return 0;
	out->length = length;
	out->opcode = load16(at + 4);
	out->flags = at[6];
	out->nignored = at[7];
	out->index = load32(at + 8);
	shape = shape_of(out->opcode);
	if (!shape)
		return -ENOSYS;
	if (out->nignored > MAX_IGNORED || out->flags & ~(OP_OPTIONAL | OP_REPLY | OP_REPLACE))
		return -EBADMSG;
	if (length - offset < (size_t)out->nignored * 2 + (size_t)shape->numbers * 8)
		return -EBADMSG;
	for (int i = 0; i < out->nignored; i++, offset += 2)
		out->ignored[i] = load16(at + offset);
	for (int i = 0; i < shape->numbers; i++, offset += 8)
		out->number[i] = load64(at + offset);
	for (int i = 0; shape->strings[i]; i++) {
		long err = decode_string(at, length, &offset, shape->strings[i], &out->string[i],
					 depth);

		if (err < 0)
			return err;
	}
	return offset == length ? (long)length : -EBADMSG;
}

long frame_decode(const u8 *at, size_t available, struct frame *out)
{
	return decode(at, available, out, 0);
}

long program_check(const u8 *at, size_t length, int depth)
{
	struct frame frame;

	if (depth > MAX_DEPTH)
		return -EBADMSG;
	while (length) {
		long used = decode(at, length, &frame, depth);

		if (used <= 0)
			return used < 0 ? used : -EBADMSG;
		at += used;
		length -= (size_t)used;
	}
	return 0;
}
