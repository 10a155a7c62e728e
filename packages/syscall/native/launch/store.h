/* SPDX-License-Identifier: Apache-2.0 */
/* What every run looks for in a store before it starts: the remains of commands that were killed. */
#ifndef LAMELLA_STORE_H
#define LAMELLA_STORE_H

#include "base/sys.h"

/*
 * Returns whether there is nothing to do in a store first: no interrupted apply or unpacking, no dead container, and a
 * file of events of at most `events` bytes. In doubt it returns 0, and Node looks.
 */
int store_is_ready(const char *root, u64 events);

/*
 * Returns whether the monitor of the container in a directory holds its lock and has the same init, which lives, and no
 * apply was interrupted. `numbers` are the ids of both processes, and when the init started (proc_pid_stat(5)).
 */
int container_runs(const char *directory, const u64 *numbers);

/* Writes a path from parts. Returns 0 if it is too long. */
int join_path(char *into, size_t room, const char *const *parts, int count);

#endif
