/* SPDX-License-Identifier: Apache-2.0 */
/* BPF programs, which control devices of a cgroup. */
#include "ops/op.h"

OP(bpf_prog_load)
{
	static const char license[] = "Apache";
	struct {
		u32 type, count;
		u64 instructions, license;
		u32 log_level, log_size;
		u64 log;
		u32 kernel_version, flags;
		char name[16];
		u32 ifindex, attach_type;
	} attr = {
		.type = (u32)N(0),
		.count = LEN(0) / 8,
		.instructions = (u64)(uintptr_t)S(0),
		.license = (u64)(uintptr_t)license,
		.attach_type = (u32)N(1),
	};

	if (!LEN(0) || LEN(0) % 8)
		return -EBADMSG;
	return slot_put(N(2), SYS(bpf, 5 /* BPF_PROG_LOAD */, &attr, sizeof(attr)));
}

OP(bpf_prog_attach)
{
	FD(target, 0);
	FD(program, 1);
	struct {
		u32 target_fd, attach_bpf_fd, attach_type, flags, replaced;
	} attr = { (u32)target, (u32)program, (u32)N(2), (u32)N(3), 0 };

	return SYS(bpf, 8 /* BPF_PROG_ATTACH */, &attr, sizeof(attr));
}
