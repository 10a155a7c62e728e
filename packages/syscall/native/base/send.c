/* SPDX-License-Identifier: Apache-2.0 */
#include "base/send.h"
#include "base/text.h"

long write_all(int fd, const void *from, size_t length)
{
	const char *data = from;

	while (length) {
		long n = SYS(write, fd, data, length);

		if (n == -EINTR)
			continue;
		if (n < 0)
			return n;
		data += n;
		length -= (size_t)n;
	}
	return 0;
}

void say(const char *text)
{
	write_all(2, text, length_of(text));
}

#define SCM_RIGHTS_TYPE 1
#define SOL_SOCKET_LEVEL 1
#define MSG_CMSG_CLOEXEC_FLAG 0x40000000

struct message {
	void *name;
	u32 name_length, pad;
	struct span {
		void *at;
		u64 length;
	} *spans;
	u64 spans_length;
	void *control;
	u64 control_length;
	u32 flags, pad2;
};

struct passed {
	u64 length;
	int level, type;
	int fd, pad;
};

long send_descriptor(int socket, const void *data, size_t length, int fd)
{
	struct span span = { (void *)(uintptr_t)data, length };
	struct passed passed = { 20, SOL_SOCKET_LEVEL, SCM_RIGHTS_TYPE, fd, 0 };
	struct message message = { .spans = &span, .spans_length = 1 };

	if (fd >= 0) {
		message.control = &passed;
		message.control_length = sizeof(passed);
	}
	return SYS(sendmsg, socket, &message, MSG_NOSIGNAL_FLAG);
}

long receive(int socket, void *to, size_t room, int *fd)
{
	struct span span = { to, room };
	struct passed passed = { 0 };
	struct message message = {
		.spans = &span,
		.spans_length = 1,
		.control = &passed,
		.control_length = sizeof(passed),
	};
	long n = SYS(recvmsg, socket, &message, MSG_CMSG_CLOEXEC_FLAG);

	if (n > 0 && passed.length >= 20 && passed.type == SCM_RIGHTS_TYPE)
		*fd = passed.fd;
	return n;
}
