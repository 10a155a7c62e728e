/* SPDX-License-Identifier: Apache-2.0 */
/* Starts the process of a created container, which waits in an open of the fifo and writes its replies to it. */
#include "base/send.h"
#include "base/text.h"
#include "oci/oci.h"
#include "wire/reply.h"
#include <linux/fcntl.h>
#include <linux/memfd.h>
#include <linux/poll.h>
#include <linux/time_types.h>

/* The descriptor in which Node finds the replies of a start that failed. */
#define FAILURE_FD 3

/*
 * Waits until the process has opened the fifo or has ended. Returns whether it has opened it: then the fifo has data or
 * has lost its writer.
 */
static bool is_opened(int fifo, int init)
{
	struct pollfd polled[2] = { { fifo, POLLIN, 0 }, { init, POLLIN, 0 } };
	struct __kernel_timespec now = { 0, 0 };

	while (SYS(ppoll, polled, 2, 0, 0, 0) == -EINTR)
		;
	if (polled[0].revents)
		return true;
	/* The process may have opened the fifo and ended since. */
	return SYS(ppoll, polled, 1, &now, 0, 0) > 0 && polled[0].revents;
}

/* Copies the fifo until the exec closes it. Returns the number of bytes, or -errno. */
static long read_replies(int fifo, int to)
{
	struct pollfd polled = { fifo, POLLIN, 0 };
	static u8 data[4096];
	long total = 0, n;

	for (;;) {
		n = SYS(read, fifo, data, sizeof(data));
		if (n == -EAGAIN) {
			SYS(ppoll, &polled, 1, 0, 0, 0);
			continue;
		}
		if (n == -EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? n : total;
		if (write_all(to, data, (size_t)n) < 0)
			return -EIO;
		total += n;
	}
}

/* Whether one of the replies is of a failure. What follows each header is skipped. */
static bool has_failed(int replies)
{
	u8 header[REPLY_HEADER];
	long at = 0;

	while (SYS(pread64, replies, header, sizeof(header), at) == sizeof(header)) {
		u32 length;

		__builtin_memcpy(&length, header, sizeof(length));
		if (header[4] == REPLY_FAILED)
			return true;
		if (length < REPLY_HEADER)
			return true;
		at += length;
	}
	return false;
}

/* Has Node explain the failure: it runs the same command line with another name of the command. */
static bool explain(const struct launch *launch, const char *command, int replies)
{
	for (int i = 0; i < launch->count; i++)
		if (launch->words[i] == command)
			launch->words[i] = ".start-failure";
	SYS(lseek, replies, 0, 0);
	if (replies != FAILURE_FD)
		SYS(dup3, replies, FAILURE_FD, 0);
	else
		SYS(fcntl, replies, F_SETFD, 0);
	return false;
}

bool oci_start(int root, const struct oci_words *words, const struct launch *launch)
{
	struct oci_container container;
	long fifo, replies;

	if (!oci_open(root, words->argument[0], &container))
		return false;
	if (container.status != OCI_CREATED || !(container.record.flags & OCI_STARTS)) {
		oci_close(&container);
		return false;
	}
	if (oci_lock(root, words->argument[0], &container) < 0 || container.status != OCI_CREATED)
		return false;
	replies = SYS(memfd_create, "lamella-replies", MFD_CLOEXEC);
	fifo = replies < 0 ? replies : SYS(openat, container.directory, OCI_FIFO, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
	if (fifo < 0 || !is_opened((int)fifo, container.init))
		return false;
	if (read_replies((int)fifo, (int)replies) < 0)
		return explain(launch, words->command, (int)replies);
	SYS(unlinkat, container.directory, OCI_FIFO, 0);
	return has_failed((int)replies) ? explain(launch, words->command, (int)replies) : true;
}
