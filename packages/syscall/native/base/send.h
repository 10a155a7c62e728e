/* SPDX-License-Identifier: Apache-2.0 */
/* Whole writes, and descriptors sent through sockets. */
#ifndef LAMELLA_SEND_H
#define LAMELLA_SEND_H

#include "base/kernel.h"

/* Writes all of it. Returns 0 or -errno. */
long write_all(int fd, const void *from, size_t length);

/* Prints to stderr. An error is ignored, because no other output is left. */
void say(const char *text);

/* Sends `length` bytes, and `fd` with them unless it is -1 (unix(7), SCM_RIGHTS). */
long send_descriptor(int socket, const void *data, size_t length, int fd);

/* Returns the number of bytes received, 0 at the end. `*fd` is set when a descriptor came with them. */
long receive(int socket, void *to, size_t room, int *fd);

#endif
