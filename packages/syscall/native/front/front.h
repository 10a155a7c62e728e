/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of `lamella-init front`, which replaces Node while a container runs. */
#ifndef LAMELLA_FRONT_H
#define LAMELLA_FRONT_H

#include "monitor/monitor.h"

/* Returned in the child, which is the interpreter from here on. */
#define FRONT_INTERPRETER (-1)
/* Returns the status to exit with, or FRONT_INTERPRETER. */
int front(int argc, char **argv, char **envp);
int front_not_sealed(void);

/* relay.c */
/* Larger than a struct termios. */
#define SETTINGS 64

struct seen {
	u8 head[REPLY_HEADER];
	u32 filled, skip;
	u16 kind;
	int ok, failed, started, exited, status, detached;
	/* The settings of the terminal before it became raw. */
	u8 settings[SETTINGS];
	u32 settings_length;
};
extern struct seen seen;

/* Evaluates replies, which may be split anywhere. */
void look_at(const u8 *at, size_t length);
/*
 * Forwards signals to the monitor and keeps its replies in `told`, until they end or the user detaches; with `leaves`
 * until the command has begun.
 */
void listen_to(int replies, int orders, int told, u64 blocked, int leaves);

/* map-ids.c */
/* Runs the commands that map ids side by side. Returns whether all of them succeeded. */
int map_ids(const char *lines, long pid);

#endif
