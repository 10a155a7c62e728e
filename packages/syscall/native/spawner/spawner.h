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

/* Returns, once, the empty network namespace that the spawner made ahead for this interpreter, or -1. */
int spawned_network(void);

/* networks.c */
/* Says that interpreters need empty network namespaces. */
void network_want(void);
/* Returns whether one should be made ahead. */
int network_is_missing(void);
/* Begins to make it. */
void network_begin(void);
/* Returns the descriptor that becomes readable when it is made, or -1. */
int network_maker(void);
void network_receive(void);
/* Returns the one that was made ahead, or -1. */
int network_give(void);
/* In a fresh child: keeps it for the clone. */
void network_accept(int fd);

/* caller.c */
/* Keeps what a child of the caller would inherit from it now, to be compared later. */
void caller_remember(int pid);
/* In a fresh child: takes from the caller what has changed since, as a child of the caller would have it. */
void caller_follow(int needs_umask);

#endif
