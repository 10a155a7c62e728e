/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log of a container in the format of CRI: `TIME STREAM TAG CONTENT`. A line of output is one line of the log
 * (tag F), or several (tag P), so that every byte can be restored.
 */
#include "monitor/monitor.h"
#include "base/text.h"
#include "base/send.h"
#include <linux/fcntl.h>
#include <linux/stat.h>

#define LINE_HEAD 64

static int file = -1;
static s64 size;
/* How much of the chunk is in the log, and text that is being written. */
static u32 logged;
static char text[32768];
static u32 text_length, text_written;

long log_open(void)
{
	struct statx st;
	long fd = SYS(openat, supervision.directory, "log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	if (fd < 0)
		return fd;
	file = (int)fd;
	size = SYS(statx, file, "", AT_EMPTY_PATH, STATX_SIZE, &st) == 0 ? (s64)st.stx_size : 0;
	return 0;
}

static char *digits(char *at, u64 value, int width)
{
	for (int i = width - 1; i >= 0; i--, value /= 10)
		at[i] = (char)('0' + value % 10);
	return at + width;
}

/* Appends a time (RFC 3339, nanoseconds). The calendar is Gregorian, counted from 1 March of year 0. */
static char *timestamp(char *at)
{
	u64 nanoseconds = now(0 /* CLOCK_REALTIME */), seconds = nanoseconds / 1000000000;
	u64 days = seconds / 86400 + 719468, second = seconds % 86400;
	u64 era = days / 146097, of_era = days % 146097;
	u64 year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	u64 of_year = of_era - (365 * year + year / 4 - year / 100), month = (5 * of_year + 2) / 153;
	u64 day = of_year - (153 * month + 2) / 5 + 1;

	month = month < 10 ? month + 3 : month - 9;
	at = digits(at, year + era * 400 + (month <= 2), 4);
	*at++ = '-';
	at = digits(at, month, 2);
	*at++ = '-';
	at = digits(at, day, 2);
	*at++ = 'T';
	at = digits(at, second / 3600, 2);
	*at++ = ':';
	at = digits(at, second / 60 % 60, 2);
	*at++ = ':';
	at = digits(at, second % 60, 2);
	*at++ = '.';
	at = digits(at, nanoseconds % 1000000000, 9);
	*at++ = 'Z';
	return at;
}

/* Rotates: log.8 becomes log.9, and so on; log becomes log.1, or is emptied if only one is kept. */
static long rotate(void)
{
	char from[8] = "log.0", to[8] = "log.0";
	long err;

	if (supervision.log_files <= 1)
		err = SYS(unlinkat, supervision.directory, "log", 0);
	else {
		for (s64 i = supervision.log_files - 1; i > 1; i--) {
			digits(from + 4, (u64)i - 1, 1);
			digits(to + 4, (u64)i, 1);
			err = SYS(renameat2, supervision.directory, from, supervision.directory, to, 0);
			if (err < 0 && err != -ENOENT)
				return err;
		}
		err = SYS(renameat2, supervision.directory, "log", supervision.directory, "log.1", 0);
	}
	if (err < 0 && err != -ENOENT)
		return err;
	SYS(close, file);
	file = -1;
	return log_open();
}

static long flush(void)
{
	while (text_written < text_length) {
		long n = SYS(write, file, text + text_written, text_length - text_written);

		if (n == -EINTR)
			continue;
		if (n < 0)
			return n;
		text_written += (u32)n;
		size += n;
	}
	text_length = text_written = 0;
	return 0;
}

long log_write(void)
{
	const char *data = (const char *)m.chunk + REPLY_HEADER;
	u32 length = m.chunk_length - REPLY_HEADER, stream;
	long err = 0;

	if (file < 0 && (err = log_open()) < 0)
		return err;
	__builtin_memcpy(&stream, m.chunk + 8, 4);
	while (!err && logged < length) {
		u32 n = 0, whole;
		char *at;

		while (logged + n < length && data[logged + n] != '\n' && n < sizeof(text) - LINE_HEAD)
			n++;
		whole = logged + n < length && data[logged + n] == '\n';
		if (text_length + n + LINE_HEAD > sizeof(text) && (err = flush()) < 0)
			break;
		if (supervision.log_size && size + text_length &&
		    size + text_length + n + LINE_HEAD > supervision.log_size) {
			if ((err = flush()) < 0 || (size && (err = rotate()) < 0))
				break;
		}
		at = timestamp(text + text_length);
		__builtin_memcpy(at, stream == 2 ? " stderr " : " stdout ", 8);
		at += 8;
		*at++ = whole ? 'F' : 'P';
		*at++ = ' ';
		__builtin_memcpy(at, data + logged, n);
		at[n] = '\n';
		text_length = (u32)(at + n + 1 - text);
		logged += n + whole;
	}
	return err < 0 ? err : flush();
}

void log_new_chunk(void)
{
	logged = 0;
}

int log_behind(void)
{
	return supervision.flags & SUPERVISE_LOG && m.chunk_length &&
	       (logged < m.chunk_length - REPLY_HEADER || text_written < text_length);
}
