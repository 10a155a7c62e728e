/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LAMELLA_NAMES_H
#define LAMELLA_NAMES_H

#include "base/sys.h"

/* Which of two directories has a name. */
#define NAME_FIRST 1
#define NAME_SECOND 2
/* A whiteout file in the first hides the name (`.wh.NAME`). */
#define NAME_HIDDEN 4

struct name_list {
	u32 mark, at; /* where its names begin, and their sorted places */
	u32 count;
};

/*
 * Lists the names of one open directory, or of two together (-1 is none). Returns 0, or -errno and no list. With `files`
 * the whiteouts of the first are files.
 */
long names_list(int first, int second, int files, struct name_list *list);

/* Returns a name and where it was seen. It is valid until another list is made. */
const char *names_get(const struct name_list *list, u32 i, int *marks);

/* Drops a list and all that were made after it. */
void names_drop(const struct name_list *list);

#endif
