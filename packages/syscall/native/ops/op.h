/* SPDX-License-Identifier: Apache-2.0 */
/* One function per op of ops.def: op_NAME. Each makes one system call, except for the compound ones. */
#ifndef LAMELLA_OP_H
#define LAMELLA_OP_H

#include "base/kernel.h"
#include "base/slots.h"
#include "wire/frame.h"

#define N(i) (frame->number[i])
#define S(i) (frame->string[i].at)
#define LEN(i) (frame->string[i].length)
#define OP(name) long op_##name(const struct frame *frame)

/* Fetches a slot's descriptor into `var`, or fails the op. */
#define FD(var, i)                       \
	int var = slot_get(N(i));        \
	if (var == -EBADF)               \
		return -EBADF

#define OP_ENTRY(number, name, numbers, kinds, strings, doc) long op_##name(const struct frame *frame);
#define ORDER_ENTRY(number, name, numbers, kinds, strings, doc)
#include "ops/ops.def"
#undef OP_ENTRY
#undef ORDER_ENTRY

#endif
