/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record of an earlier run (src/replay/record-file.ts): the words of its command line, the conditions under which its
 * program is still right, and the program with holes. Everything points into the bytes of the record.
 */
#ifndef LAMELLA_RUN_RECORD_H
#define LAMELLA_RUN_RECORD_H

#include "base/sys.h"

#define RECORD_MAX (512 * 1024)
#define RECORD_WORDS 64
#define RECORD_CONDITIONS 2048
#define RECORD_NUMBERS 80
#define RECORD_HOLES 256
#define RECORD_LENGTHS 1024

enum command_words { COMMAND_NONE = 0, COMMAND_NAME = 1, COMMAND_PATH = 2 };

/* Bytes with a NUL after them. */
struct piece {
	const char *at;
	u32 length;
};

enum condition_kind {
	CONDITION_SAME = 1,
	CONDITION_ABSENT = 2,
	CONDITION_EXISTS = 3,
	CONDITION_CONTENT = 4,
	CONDITION_FSTYPE = 5,
	CONDITION_VARIABLE = 6,
	CONDITION_NO_VARIABLE = 7,
	CONDITION_ENVIRONMENT = 8,
	CONDITION_DIRECTORY = 9,
	CONDITION_CALLER = 10,
	CONDITION_READY = 11,
	CONDITION_FOLLOWED = 12,
	CONDITION_CAPABILITIES = 13,
	CONDITION_RUNNING = 14,
	CONDITION_PLACE = 15,
};

struct condition {
	u32 kind;
	struct piece name, text;
	u32 count;
	u64 numbers[RECORD_NUMBERS];
};

enum hole_kind {
	HOLE_ID = 1,
	HOLE_NAME = 2,
	HOLE_TIME = 3,
	HOLE_WORDS = 4,
	HOLE_WORDS_JSON = 5,
	HOLE_FIRST = 6,
	HOLE_COUNT = 7,
	HOLE_WORDS_TITLE = 8,
	HOLE_SUM = 9,
	HOLE_ROWS = 10,
	HOLE_COLUMNS = 11,
	HOLE_ROWS_TEXT = 12,
	HOLE_COLUMNS_TEXT = 13,
	HOLE_SECONDS_TEXT = 14,
	HOLE_NANOSECONDS_TEXT = 15,
};

struct hole {
	u32 kind, at, length, from;
};

struct length_field {
	u32 at, from, to;
};

struct template {
	struct piece bytes;
	u32 hole_count, length_count;
	struct hole holes[RECORD_HOLES];
	struct length_field lengths[RECORD_LENGTHS];
};

/* Where the reader of a record is. `bad` stays set after the first thing that is not as it should be. */
struct reader {
	const u8 *at, *end;
	int bad;
};

struct record {
	u32 flags, command_words, word_count, condition_count;
	struct piece package, words[RECORD_WORDS];
	/* The conditions are read one after the other when they are checked. */
	struct reader conditions;
	struct piece explainer[3], maps, names[2], containers;
	struct template program, context, title, left;
};

#define RECORD_STDIN 1
#define RECORD_DEBUG 2
#define RECORD_DETACHED 4

/* Two hashes of 32 bits. Continues from `hash`, which is HASH_BEGIN at first. */
#define HASH_BEGIN 0x165667b1811c9dc5ULL
u64 hash_more(u64 hash, const void *bytes, size_t length);

/* Reads a record. Returns whether it is whole; nothing in it points outside of it. */
int record_read(const u8 *bytes, size_t length, struct record *record);
/* Reads the next condition. Returns 0 if it is damaged. */
int record_condition(struct reader *reader, struct condition *condition);

#endif
