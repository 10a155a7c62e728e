/* SPDX-License-Identifier: Apache-2.0 */
/* Contents of regular files: reported, or compared. */
#ifndef LAMELLA_CONTENT_H
#define LAMELLA_CONTENT_H

#include "base/kernel.h"

/*
 * Reports a file's content, at most `size` bytes of it. With `seen` a size of 0 means unknown: files of procfs
 * have it whatever is in them.
 */
long show_content(int dirfd, const char *name, u64 size, u32 index, int seen);
/* Whether two files of one size differ: 1, 0 or -errno. */
long contents_differ(int upper, int lower, const char *name);

#endif
