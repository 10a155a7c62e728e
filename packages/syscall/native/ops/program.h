/* SPDX-License-Identifier: Apache-2.0 */
/* Runs frames: one, a whole program, and the program for the end. */
#ifndef LAMELLA_PROGRAM_H
#define LAMELLA_PROGRAM_H

#include "wire/frame.h"

/* In the cloned process: the socket to its monitor. -1 elsewhere. */
extern int monitor_socket;

/* Runs one op. Returns its value or -errno. */
long op_run(const struct frame *frame);

/*
 * Runs a whole program from memory. With `keep_going` (exit programs) a failure is reported and the next op runs;
 * without, the first failure ends the program and is returned as -errno.
 */
long program_run(const u8 *at, size_t length, int keep_going);

/* Forgets the vectors of the last execve, which are no longer in memory. */
void execve_forget(void);

/* Runs one frame and replies as its flags ask. Returns -errno when the program has to stop. */
long frame_run(const struct frame *frame);

/* Sets the program that runs when the monitored process is gone. The last one set counts. */
long exit_program_set(struct bytes program);
void exit_program_run(void);

#endif
