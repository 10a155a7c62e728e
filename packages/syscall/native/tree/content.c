/* SPDX-License-Identifier: Apache-2.0 */
#include "tree/content.h"
#include "tree/record.h"
#include "wire/reply.h"
#include <linux/fcntl.h>

/* The most bytes of a file whose size is 0: files of procfs have that size whatever they contain. */
#define UNSIZED_MAX (64u << 20)

/* Opens a file that was regular when it was looked at. Returns -ENOENT if it is not regular now. */
static long open_regular(int dirfd, const char *name)
{
	long fd = SYS(openat, dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0), err;
	struct statx st;

	if (fd < 0)
		return fd == -ELOOP || fd == -ENXIO || fd == -ENODEV ? -ENOENT : fd;
	err = SYS(statx, fd, "", AT_EMPTY_PATH, STATX_TYPE, &st);
	if (!err && is(&st, S_IFREG))
		return fd;
	SYS(close, fd);
	return err < 0 ? err : -ENOENT;
}

/*
 * Reports the content, at most the size that was reported, because a file may grow as fast as it is read. The reader of
 * the replies fills up missing bytes.
 */
long show_content(int dirfd, const char *name, u64 size, u32 index, int seen)
{
	static char chunk[65536];
	long fd = open_regular(dirfd, name), n = 0;
	int unsized = seen && !size;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	if (unsized)
		size = UNSIZED_MAX;
	while (!unread) {
		if (!size) {
			n = unsized ? -EFBIG : 0;
			break;
		}
		n = SYS(read, fd, chunk, size < sizeof(chunk) ? size : sizeof(chunk));
		if (n == -EINTR)
			continue;
		if (n <= 0)
			break;
		reply_content(index, chunk, (u32)n);
		size -= (u64)n;
	}
	SYS(close, fd);
	return n < 0 ? n : 0;
}

static long read_full(int fd, char *at, size_t size)
{
	size_t got = 0;

	while (got < size) {
		long n = SYS(read, fd, at + got, size - got);

		if (n == -EINTR)
			continue;
		if (n < 0)
			return n;
		if (!n)
			break;
		got += (size_t)n;
	}
	return (long)got;
}

/* Both are aligned to 8 bytes. */
static int bytes_differ(const char *a, const char *b, long n)
{
	const u64 *x = (const u64 *)(const void *)a, *y = (const u64 *)(const void *)b;
	long i;

	for (i = 0; i < n / 8; i++)
		if (x[i] != y[i])
			return 1;
	for (i *= 8; i < n; i++)
		if (a[i] != b[i])
			return 1;
	return 0;
}

long contents_differ(int upper, int lower, const char *name)
{
	static char a[65536] __attribute__((aligned(8))), b[65536] __attribute__((aligned(8)));
	long x = open_regular(upper, name), y, n, m, result = 0;

	if (x < 0)
		return x;
	y = open_regular(lower, name);
	if (y < 0) {
		SYS(close, x);
		return y;
	}
	do {
		n = read_full((int)x, a, sizeof(a));
		m = read_full((int)y, b, sizeof(b));
		if (n < 0 || m < 0)
			result = n < 0 ? n : m;
		else
			result = n != m || bytes_differ(a, b, n);
	} while (!result && n > 0);
	SYS(close, x);
	SYS(close, y);
	return result;
}
