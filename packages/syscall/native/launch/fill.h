/* SPDX-License-Identifier: Apache-2.0 */
/* Fills the holes of a template, as fillTemplate() does in src/replay/template.ts. */
#ifndef LAMELLA_FILL_H
#define LAMELLA_FILL_H

#include "launch/run-record.h"

#define ID_LENGTH 12
#define TIME_LENGTH 24
#define NAME_MAX 64

/* What two runs of one command line do not share. Texts end with a NUL. */
struct filling {
	char id[ID_LENGTH + 1];
	char name[NAME_MAX + 1];
	char created[TIME_LENGTH + 1];
	/* The same in seconds, and nanoseconds of which only the milliseconds are not 0. */
	u32 seconds, nanoseconds;
	/* The command's own words, ended by NULL. */
	char **words;
	u32 count;
	/* The size of the terminal. */
	u16 rows, columns;
};

/* choose.c */
/* Chooses all but the words, so that no two runs have the same. Returns 0 if no name is free, or the kernel has no random bytes yet. */
int choose(struct filling *filling, const struct record *record);

/* Writes the filled template and a NUL. Returns its length; -1 if there is no room, or a word that is not UTF-8. */
long fill(const struct template *template, const struct filling *filling, u8 *into, size_t room);

#endif
