/* SPDX-License-Identifier: Apache-2.0 */
/* What every run has for itself: its id, its name, its time, and the size of its terminal. */
#include "base/sys.h"
#include "launch/fill.h"
#include "launch/store.h"
#include <asm/ioctls.h>
#include <linux/fcntl.h>
#include <linux/random.h>
#include <linux/stat.h>

#define PATH_LENGTH 4096
#define CLOCK_REALTIME_ID 0
#define NAME_TRIES 8

static int random_bytes(void *into, size_t length)
{
	return SYS(getrandom, into, length, GRND_NONBLOCK) == (long)length;
}

static void choose_id(struct filling *filling, const u8 *random)
{
	for (int i = 0; i < ID_LENGTH; i++)
		filling->id[i] = "0123456789abcdef"[random[i / 2] >> (i % 2 ? 0 : 4) & 15];
	filling->id[ID_LENGTH] = 0;
}

/* Copies the word with a number from a list with spaces. Returns its length, 0 if there is no room. */
static size_t copy_word(char *into, size_t room, const char *list, u32 number)
{
	size_t length = 0;

	for (; number && *list; list++)
		number -= *list == ' ';
	while (*list && *list != ' ') {
		if (length + 1 >= room)
			return 0;
		into[length++] = *list++;
	}
	into[length] = 0;
	return length;
}

static u32 words_in(const char *list)
{
	u32 count = 1;

	for (; *list; list++)
		count += *list == ' ';
	return count;
}

static int is_taken(const struct record *record, const char *name, const char *among)
{
	static char path[PATH_LENGTH];
	const char *parts[] = { record->containers.at, among, name };
	struct statx about;

	return !join_path(path, sizeof(path), parts, 3) ||
	       SYS(statx, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_TYPE, &about) != -ENOENT;
}

/* A name such as `curious_noether` that no container has. Returns 0 if none was found. */
static int choose_name(struct filling *filling, const struct record *record)
{
	u32 counts[2] = { words_in(record->names[0].at), words_in(record->names[1].at) }, random[2 * NAME_TRIES];

	if (!record->names[0].length)
		return 1;
	if (!random_bytes(random, sizeof(random)))
		return 0;
	for (int i = 0; i < NAME_TRIES; i++) {
		size_t length = copy_word(filling->name, NAME_MAX / 2, record->names[0].at, random[2 * i] % counts[0]);

		if (!length)
			return 0;
		filling->name[length++] = '_';
		if (!copy_word(filling->name + length, NAME_MAX / 2, record->names[1].at, random[2 * i + 1] % counts[1]))
			return 0;
		if (!is_taken(record, filling->name, "/.given/") && !is_taken(record, filling->name, "/.names/"))
			return 1;
	}
	return 0;
}

static char *digits(char *at, u32 value, int count)
{
	for (int i = count - 1; i >= 0; i--, value /= 10)
		at[i] = (char)('0' + value % 10);
	return at + count;
}

/* The time as ISO 8601 with milliseconds. The days of a year are counted from March, so that a leap day is the last one. */
static void choose_time(struct filling *filling)
{
	s64 now[2] = { 0, 0 };
	u32 days, second, era, day, year, month;
	char *at = filling->created;

	SYS(clock_gettime, CLOCK_REALTIME_ID, now);
	filling->seconds = (u32)now[0];
	filling->nanoseconds = (u32)(now[1] / 1000000 * 1000000);
	days = (u32)(now[0] / 86400) + 719468;
	second = (u32)(now[0] % 86400);
	era = days / 146097;
	day = days % 146097;
	year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	day -= 365 * year + year / 4 - year / 100;
	month = (5 * day + 2) / 153;
	day -= (153 * month + 2) / 5;
	year += 400 * era + (month >= 10);
	month = month < 10 ? month + 3 : month - 9;
	at = digits(at, year, 4);
	*at++ = '-';
	at = digits(at, month, 2);
	*at++ = '-';
	at = digits(at, day + 1, 2);
	*at++ = 'T';
	at = digits(at, second / 3600, 2);
	*at++ = ':';
	at = digits(at, second / 60 % 60, 2);
	*at++ = ':';
	at = digits(at, second % 60, 2);
	*at++ = '.';
	at = digits(at, (u32)(now[1] / 1000000), 3);
	*at++ = 'Z';
	*at = 0;
}

/* The size of the terminal on stdout or stderr; 24 lines of 80 columns if there is none. */
static void choose_size(struct filling *filling)
{
	filling->rows = 24;
	filling->columns = 80;
	for (int fd = 1; fd <= 2; fd++) {
		u16 size[4] = { 0, 0, 0, 0 };

		if (SYS(ioctl, fd, TIOCGWINSZ, size) == 0 && size[0] && size[1]) {
			filling->rows = size[0];
			filling->columns = size[1];
			return;
		}
	}
}

int choose(struct filling *filling, const struct record *record)
{
	u8 random[ID_LENGTH / 2];

	if (!random_bytes(random, sizeof(random)))
		return 0;
	choose_id(filling, random);
	choose_time(filling);
	choose_size(filling);
	return choose_name(filling, record);
}
