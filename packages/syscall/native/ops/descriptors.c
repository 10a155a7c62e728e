/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors of this process: duplicated, closed, inherited and passed on. */
#include "ops/op.h"
#include "base/send.h"
#include "wire/reply.h"
#include <linux/fcntl.h>

OP(close_range)
{
	return SYS(close_range, N(0), N(1), N(2));
}

OP(dup3)
{
	FD(fd, 0);
	long err = SYS(dup3, fd, N(1), N(2));

	return err < 0 ? err : 0;
}

/* Passes a number, or bytes in a copy that the kernel may write to. */
OP(ioctl)
{
	FD(fd, 0);
	char argument[256];

	if (!S(0))
		return SYS(ioctl, fd, N(1), N(2));
	if (LEN(0) > sizeof(argument))
		return -EMSGSIZE;
	__builtin_memcpy(argument, S(0), LEN(0));
	return SYS(ioctl, fd, N(1), argument);
}

/* Takes a descriptor that this process was started with, by its number. 4 is the one for replies. */
OP(inherited)
{
	if (N(0) < REPLIES_FD)
		return -EINVAL;
	return slot_put(N(1), SYS(fcntl, N(0), F_DUPFD_CLOEXEC, 5));
}

/* Sends later replies to another descriptor, because the parent does not wait for them. */
OP(reply_to)
{
	FD(fd, 0);
	long own = SYS(fcntl, fd, F_DUPFD_CLOEXEC, N(1));

	if (own < 0)
		return own;
	replies_to((int)own);
	return 0;
}

/* Sends bytes with a descriptor (unix(7), SCM_RIGHTS). */
OP(send_fd)
{
	FD(fd, 0);
	FD(passed, 1);
	long n = send_descriptor(fd, S(0), LEN(0), passed);

	return n < 0 ? n : n == (long)LEN(0) ? 0 : -EMSGSIZE;
}
