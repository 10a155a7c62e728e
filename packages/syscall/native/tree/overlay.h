/* SPDX-License-Identifier: Apache-2.0 */
/* Marks of overlays, and filesystems mounted below a tree. */
#ifndef LAMELLA_OVERLAY_H
#define LAMELLA_OVERLAY_H

#include "tree/tree.h"
#include "base/kernel.h"

int is_whiteout(const struct statx *st);
/* Whether the overlay shows nothing of the lower through this directory: 1, 0 or -errno. */
long is_opaque(int fd, enum overlay overlay);

#endif
