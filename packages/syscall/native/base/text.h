/* SPDX-License-Identifier: Apache-2.0 */
/* Strings and the paths in procfs that are made from numbers. */
#ifndef LAMELLA_TEXT_H
#define LAMELLA_TEXT_H

#include "base/sys.h"

int same_text(const char *a, const char *b);
size_t length_of(const char *text);

/* Writes a text and a NUL. Returns where the NUL is. */
char *append(char *at, const char *text);

/* Writes a number and a NUL, at most 12 bytes. Returns where the NUL is. */
char *append_number(char *at, int number);

/* Writes `/proc/self/fd/N` and a NUL, at most 26 bytes. Returns where the NUL is. */
char *descriptor_path(char *at, int fd);

/* Writes `/proc/PID` and `file`: at most 48 bytes for the files that are used here. */
void process_path(char *at, int pid, const char *file);

#endif
