/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets and netlink. */
#include "ops/op.h"
#include "wire/reply.h"
#include <linux/netlink.h>

OP(socket)
{
	return slot_put(N(3), SYS(socket, N(0), N(1), N(2)));
}

/* Compound: sends a netlink(7) request and reports each answer as data, up to the acknowledgement. */
OP(netlink)
{
	FD(fd, 0);
	char answer[8192] __attribute__((aligned(NLMSG_ALIGNTO)));
	long n = SYS(sendto, fd, S(0), LEN(0), 0, NULL, 0);

	while (n >= 0) {
		n = SYS(recvfrom, fd, answer, sizeof(answer), MSG_TRUNC, NULL, NULL);
		if (n > (long)sizeof(answer))
			return -EMSGSIZE;
		for (long at = 0; at + NLMSG_HDRLEN <= n;) {
			const struct nlmsghdr *message = (const void *)(answer + at);

			if (message->nlmsg_len < NLMSG_HDRLEN || message->nlmsg_len > n - at)
				return -EBADMSG;
			/* Both contain an error number, or 0. */
			if (message->nlmsg_type == NLMSG_ERROR || message->nlmsg_type == NLMSG_DONE)
				return message->nlmsg_len < NLMSG_HDRLEN + sizeof(int) ? 0 : *(const int *)(message + 1);
			reply_data(frame->index, message, message->nlmsg_len);
			at += NLMSG_ALIGN(message->nlmsg_len);
		}
	}
	return n;
}

/* Connects to a socket of unix(7) by its path. */
OP(connect)
{
	FD(fd, 0);
	struct {
		u16 family;
		char path[108];
	} address = { .family = AF_UNIX };

	if (LEN(0) >= sizeof(address.path))
		return -ENAMETOOLONG;
	__builtin_memcpy(address.path, S(0), LEN(0));
	return SYS(connect, fd, &address, 2 + LEN(0) + 1);
}
