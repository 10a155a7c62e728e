/* SPDX-License-Identifier: Apache-2.0 */
/* The table of ops: each opcode with its shape and its function, from ops.def. */
#include "ops/op.h"
#include "ops/program.h"

struct op {
	struct shape shape;
	long (*run)(const struct frame *frame);
};

#define COUNT(...) COUNT_(0, ##__VA_ARGS__, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define COUNT_(_0, _1, _2, _3, _4, _5, _6, _7, _8, count, ...) count

#define OP_ENTRY(number, name, numbers, kinds, strings, doc) [number] = { { #name, COUNT numbers, kinds }, op_##name },
/* Orders are for a monitor while its process runs; as ops of a program they are refused. */
#define ORDER_ENTRY(number, name, numbers, kinds, strings, doc) [number] = { { #name, COUNT numbers, kinds }, NULL },
static const struct op table[] = {
#include "ops/ops.def"
};
#undef OP_ENTRY
#undef ORDER_ENTRY

/* Every string has its kind, and no op has more arguments than a frame holds. */
#define OP_ENTRY(number, name, numbers, kinds, strings, doc)                                        \
	_Static_assert(COUNT strings == sizeof(kinds) - 1, #name ": one kind for each string");     \
	_Static_assert(COUNT strings <= MAX_STRINGS && COUNT numbers <= MAX_NUMBERS, #name ": too many arguments");
#define ORDER_ENTRY OP_ENTRY
#include "ops/ops.def"
#undef OP_ENTRY
#undef ORDER_ENTRY

const struct shape *shape_of(u16 opcode)
{
	if (opcode >= sizeof(table) / sizeof(table[0]) || !table[opcode].shape.name)
		return NULL;
	return &table[opcode].shape;
}

long op_run(const struct frame *frame)
{
	return table[frame->opcode].run ? table[frame->opcode].run(frame) : -ENOSYS;
}
