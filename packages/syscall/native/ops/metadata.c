/* SPDX-License-Identifier: Apache-2.0 */
/* Owners, permissions, times and attributes of files. */
#include "ops/op.h"
#include <linux/time_types.h>

OP(fchownat)
{
	FD(dirfd, 0);
	return SYS(fchownat, dirfd, S(0), N(1), N(2), N(3));
}

OP(fchmod)
{
	FD(fd, 0);
	return SYS(fchmod, fd, N(1));
}

OP(fchmodat)
{
	FD(dirfd, 0);
	return SYS(fchmodat, dirfd, S(0), N(1));
}

OP(utimensat)
{
	FD(dirfd, 0);
	struct __kernel_timespec times[2] = {
		{ .tv_sec = N(1), .tv_nsec = N(2) },
		{ .tv_sec = N(3), .tv_nsec = N(4) },
	};

	return SYS(utimensat, dirfd, S(0), times, N(5));
}

OP(lsetxattr)
{
	return SYS(lsetxattr, S(0), S(1), S(2), LEN(2), N(0));
}

OP(fsetxattr)
{
	FD(fd, 0);
	return SYS(fsetxattr, fd, S(0), S(1), LEN(1), N(1));
}

/* Checks access with the real ids (faccessat2(2)). */
OP(faccessat)
{
	FD(dirfd, 0);
	return SYS(faccessat2, dirfd, S(0), N(1), N(2));
}
