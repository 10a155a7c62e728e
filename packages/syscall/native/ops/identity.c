/* SPDX-License-Identifier: Apache-2.0 */
/* Host name, user, groups, capabilities and the system call filter of the process. */
#include "ops/op.h"
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/filter.h>

OP(sethostname)
{
	return SYS(sethostname, S(0), LEN(0));
}

OP(setdomainname)
{
	return SYS(setdomainname, S(0), LEN(0));
}

OP(capset)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ (u32)N(0), (u32)N(1), (u32)N(2) },
		{ (u32)((u64)N(0) >> 32), (u32)((u64)N(1) >> 32), (u32)((u64)N(2) >> 32) },
	};

	return SYS(capset, &header, data);
}

OP(setgroups)
{
	if (LEN(0) % 4)
		return -EBADMSG;
	return SYS(setgroups, LEN(0) / 4, S(0));
}

/*
 * Accepts an id, or -1 for no change. The kernel uses 32 bits: a larger number could become 0 or "no change" and leave
 * the process root.
 */
static int is_id(s64 id)
{
	return id >= -1 && id < 0xffffffffLL;
}

OP(setresgid)
{
	if (!is_id(N(0)) || !is_id(N(1)) || !is_id(N(2)))
		return -EINVAL;
	return SYS(setresgid, N(0), N(1), N(2));
}

OP(setresuid)
{
	if (!is_id(N(0)) || !is_id(N(1)) || !is_id(N(2)))
		return -EINVAL;
	return SYS(setresuid, N(0), N(1), N(2));
}

/*
 * Gives pipes on stdin, stdout and stderr to the user of the process, who could not open /dev/stderr otherwise. Other
 * files, such as /dev/null, are shared and stay as they are.
 */
OP(own_stdio)
{
	for (int fd = 0; fd < 3; fd++) {
		struct statx stat;

		if (SYS(statx, fd, "", AT_EMPTY_PATH, STATX_TYPE, &stat) < 0 || (stat.stx_mode & S_IFMT) != S_IFIFO)
			continue;
		/* This fails if the owner is not mapped in the user namespace; the pipe then keeps its owner. */
		SYS(fchown, fd, N(0), N(1));
	}
	return 0;
}

OP(seccomp)
{
	struct sock_fprog prog = {
		.len = (unsigned short)(LEN(0) / sizeof(struct sock_filter)),
		.filter = (struct sock_filter *)S(0),
	};

	if (!LEN(0) || LEN(0) % sizeof(struct sock_filter) || LEN(0) / sizeof(struct sock_filter) > 4096)
		return -EBADMSG;
	return SYS(seccomp, N(0), N(1), &prog);
}

OP(umask)
{
	return SYS(umask, N(0));
}

OP(keyctl)
{
	return SYS(keyctl, N(0), S(0), 0, 0, 0);
}
