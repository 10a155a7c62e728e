/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LAMELLA_ENVIRONMENT_H
#define LAMELLA_ENVIRONMENT_H

/* Returns the value of a variable in an environment as execve(2) takes it, or NULL. */
const char *variable(char **envp, const char *name);

#endif
