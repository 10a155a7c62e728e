/* SPDX-License-Identifier: Apache-2.0 */
/* Records of the process as JSON, and its events. */
#include "monitor/monitor.h"
#include "base/text.h"
#include "base/send.h"
#include <linux/fcntl.h>

static char text[8192];
static u32 length;

static void put(const char *s, u32 n)
{
	if (length + n > sizeof(text))
		return; /* the attributes were checked to fit, and nothing else is long */
	__builtin_memcpy(text + length, s, n);
	length += n;
}

static void puts_(const char *s)
{
	u32 n = 0;

	while (s[n])
		n++;
	put(s, n);
}

static void number(const char *name, u64 value)
{
	char digits[20];
	int at = sizeof(digits);

	do
		digits[--at] = (char)('0' + value % 10);
	while (value /= 10);
	puts_("\"");
	puts_(name);
	puts_("\":");
	put(digits + at, (u32)((int)sizeof(digits) - at));
	puts_(",");
}

/* Nanoseconds exceed a JSON number in most languages, so times are seconds and the rest. */
static void moment(const char *name, const char *name_ns, u64 nanoseconds)
{
	number(name, nanoseconds / 1000000000);
	number(name_ns, nanoseconds % 1000000000);
}

static void finish(void)
{
	/* The attributes are the members of an object without its braces. */
	put(supervision.attributes.at, supervision.attributes.length);
	puts_("}\n");
}

/* Records are replaced by rename, so readers never see a part of one. */
static void write_record(const char *name, const char *next, int durable)
{
	long fd = SYS(openat, supervision.directory, next, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	u32 at = 0;

	if (fd < 0)
		return;
	while (at < length) {
		long n = SYS(write, fd, text + at, length - at);

		if (n == -EINTR)
			continue;
		if (n < 0)
			break;
		at += (u32)n;
	}
	if (durable)
		SYS(fsync, fd);
	if (SYS(close, fd) == 0 && at == length)
		SYS(renameat2, supervision.directory, next, supervision.directory, name, 0);
}

static void tell_event(const char *what, u64 when)
{
	if (supervision.events < 0)
		return;
	length = 0;
	puts_("{\"event\":\"");
	puts_(what);
	puts_("\",");
	moment("time", "timeNs", when);
	number("pid", (u64)m.pid);
	if (what[0] == 'd' && what[1] == 'i') {
		number("status", (u64)m.status);
		number("signal", (u64)m.signal);
	}
	finish();
	SYS(write, supervision.events, text, length);
}

void record_started(void)
{
	if (supervision.flags & SUPERVISE_RECORD) {
		length = 0;
		puts_("{");
		number("pid", (u64)m.pid);
		number("restarts", (u64)supervision.restarts);
		moment("started", "startedNs", m.started);
		finish();
		write_record("state", "state.next", 0);
	}
}

void record_announced(void)
{
	if (supervision.flags & SUPERVISE_CREATED) {
		tell_event("create", m.started);
		supervision.flags &= ~(u32)SUPERVISE_CREATED;
	}
	tell_event("start", m.started);
}

void record_exited(void)
{
	if (supervision.flags & SUPERVISE_RECORD) {
		length = 0;
		puts_("{");
		number("status", (u64)m.status);
		number("signal", (u64)m.signal);
		number("restarts", (u64)supervision.restarts);
		moment("started", "startedNs", m.started);
		moment("finished", "finishedNs", m.finished);
		finish();
		write_record("exit", "exit.next", 1);
	}
	if (m.announced)
		tell_event("die", m.finished);
}

void record_removed(void)
{
	/* Of a command that never began, nothing was told. */
	if (supervision.flags & SUPERVISE_REMOVED && !(supervision.flags & SUPERVISE_CREATED))
		tell_event("destroy", now(0));
}
