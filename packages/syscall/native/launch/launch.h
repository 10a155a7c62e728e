/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `lamella-init launch NAME DIRECTORY COMMAND WORD…`: what the commands `lamella` and `lamella-oci` are before Node.
 * It runs a command without Node where a record has what to do, and otherwise executes Node.
 */
#ifndef LAMELLA_LAUNCH_H
#define LAMELLA_LAUNCH_H

#include "base/kernel.h"
#include <stdbool.h>

#define LAUNCH_WORDS 5
#define LAUNCH_PATH_MAX 4096

struct launch {
	/* `lamella` or `lamella-oci` */
	const char *name;
	/* The package that has the command. It may be relative to the working directory. */
	const char *directory;
	/* The path by which the user started the command. Node executes this file as its script. */
	char *command;
	/* The words after the command, ended by NULL. */
	char **words;
	int count;
	char **envp;
};

/* Returns the exit status of the command, unless the command ends in another program. */
int launch(int argc, char **argv, char **envp);

/* entry/main.c */
/* Executes a sealed copy of this program in memory (CVE-2019-5736). Returns an error, and only if that fails. */
long reexec_sealed(char **argv, char **envp);

/* replay.c */
/* Runs a command of `lamella` from its record. Returns false, without any effect, where Node has to run it. */
bool replay_command(const struct launch *launch, int *status);

/* find-node.c */
/*
 * Returns the Node to execute: the one of LAMELLA_NODE, the one that ran the package first, the one beside the command,
 * or the one in PATH. `named` is what was looked for. Returns NULL if there is none. The texts stay valid.
 */
const char *find_node(const struct launch *launch, const char **named);

#endif
