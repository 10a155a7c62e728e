/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wire format, little endian:
 *
 *   u32 length     the whole frame, this field included
 *   u16 opcode     an index into the table of ops
 *   u8  flags      OP_*
 *   u8  nignored   how many errnos an optional op may ignore
 *   u32 index      the op's place in the program, echoed in replies
 *   u16 ignored[nignored]
 *   s64 number[]   as many as the opcode has
 *   { u32 length; bytes; u8 0 } string[]   as many as the opcode has; 0xffffffff is NULL
 */
#ifndef LAMELLA_FRAME_H
#define LAMELLA_FRAME_H

#include "base/sys.h"

#define FRAMES_FD 3
/* More than the 6 MiB of arguments and environment that the kernel takes, see execve(2). */
#define FRAME_MAX (8u << 20)
#define FRAME_HEADER 12
#define MAX_NUMBERS 8
#define MAX_STRINGS 4
#define MAX_IGNORED 16
#define NULL_STRING 0xffffffffu

enum {
	OP_OPTIONAL = 1, /* a failure with an errno in ignored[] is reported, not fatal */
	OP_REPLY = 2,    /* report success too, with the call's value */
	OP_REPLACE = 4,  /* EEXIST: remove the object and try once more */
};

struct bytes {
	const char *at; /* NUL-terminated; NULL when the string was NULL */
	u32 length;
};

struct frame {
	u32 length;
	u32 index;
	u16 opcode;
	u8 flags;
	u8 nignored;
	u16 ignored[MAX_IGNORED];
	s64 number[MAX_NUMBERS];
	struct bytes string[MAX_STRINGS];
};

/*
 * The arguments of an opcode. `strings` has one letter for each counted string: 'z' text without a NUL, 'o' the same or
 * NULL, 'b' bytes, 'n' bytes or NULL, 'p' a nested program.
 */
struct shape {
	const char *name;
	u8 numbers;
	const char *strings;
};

/* Returns NULL for an unknown opcode. */
const struct shape *shape_of(u16 opcode);

/*
 * Decodes the frame at `at`. Returns its length, 0 if `available` bytes do not contain all of it, or -EBADMSG, -EMSGSIZE
 * or -ENOSYS. Nested programs are checked too.
 */
long frame_decode(const u8 *at, size_t available, struct frame *out);

/* Checks that every frame of a nested program is complete and well-formed and that nothing follows the last. */
long program_check(const u8 *at, size_t length, int depth);

#endif
