/* SPDX-License-Identifier: Apache-2.0 */
/* Replies on descriptor 4: results, errors, data and what happens to the process. */
#ifndef LAMELLA_REPLY_H
#define LAMELLA_REPLY_H

#include "base/sys.h"

#define REPLIES_FD 4

enum reply_kind {
	REPLY_OK = 1,
	REPLY_FAILED = 2,
	REPLY_IGNORED = 3,
	REPLY_DATA = 4,
	REPLY_STARTED = 5,
	REPLY_EXITED = 6,
	REPLY_TERMINAL = 7,
	REPLY_DETACHED = 8,
	REPLY_CONTENT = 9,
	REPLY_STOPPED = 10,
	/* Of an interpreter that a spawner made: its pid, or why there is none; its status, as the last reply. */
	REPLY_SPAWNED = 11,
	REPLY_DONE = 12,
};

/*
 * `unheard`: a reply was lost although the reader is still there, so the reader has to learn of it by this
 * process's end. `unread`: nobody reads the replies any more.
 */
extern int unheard, unread;

/* The first bytes of every reply; `length` bytes follow them. */
#define REPLY_HEADER 20
void reply_header(u8 *at, enum reply_kind kind, int err, u32 index, s64 value, u32 length);

/* Queues a reply and sends all that is queued. */
void reply(enum reply_kind kind, int err, u32 index, s64 value, const void *data, u32 length);
/* Queues a reply; replies_flush() sends what is queued. */
void reply_queue(enum reply_kind kind, int err, u32 index, s64 value, const void *data, u32 length);
/* Queues a DATA reply. */
void reply_data(u32 index, const void *data, u32 length);
/* Queues a part of a file's content. */
void reply_content(u32 index, const void *data, u32 length);
void replies_flush(void);
/* Sends later replies to another descriptor. */
void replies_to(int fd);

#endif
