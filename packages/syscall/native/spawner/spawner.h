/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of `lamella-init spawner`, a small process that forks interpreters for Node. */
#ifndef LAMELLA_SPAWNER_H
#define LAMELLA_SPAWNER_H

#include "base/kernel.h"

/* Returned in a forked process, which is the interpreter from here on. */
#define SPAWNER_INTERPRETER (-1)

/*
 * Reads from descriptor 3 the path of a directory that does not exist, in which the socket for connections is made, and
 * then requests, and forks an interpreter for each until they end. Returns the status to exit with, or
 * SPAWNER_INTERPRETER.
 */
int spawner(char **argv);

/* In an interpreter of a spawner: releases what it holds, reports its status in a last reply, and exits. */
void spawned_exit(int status);

/* caller.c */
/* Keeps what a child of the caller would inherit from it now, to be compared later. */
void caller_remember(int pid);
/* In a fresh child: takes from the caller what has changed since, as a child of the caller would have it. */
void caller_follow(int needs_umask);

#endif
