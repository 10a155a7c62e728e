/* SPDX-License-Identifier: Apache-2.0 */
/* The record of one object: attributes, path, link target and xattrs, as a DATA reply. */
#ifndef LAMELLA_RECORD_H
#define LAMELLA_RECORD_H

#include "base/kernel.h"

extern char walk_path[64 * 1024];
struct record {
	char at[512 * 1024];
	u32 length;
	int overflow;
};
extern struct record record;
/* The descriptor that is the working directory, or -1. */
extern int here;

void begin_record(void);
void put64(u64 value);
long look(int dirfd, const char *name, struct statx *st);
/* Appends an object to the record; its path is the first `path_length` bytes of walk_path. */
long put_object(int dirfd, const char *name, const struct statx *st, u32 path_length);

static inline int is(const struct statx *st, u32 type)
{
	return (st->stx_mode & S_IFMT) == type;
}

#endif
