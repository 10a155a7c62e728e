/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors that ops opened, by the number that the program gave them. 0 to 2 are stdio. */
#ifndef LAMELLA_SLOTS_H
#define LAMELLA_SLOTS_H

#include "base/sys.h"

#define SLOTS 8192
#define SLOT_CWD (-100) /* AT_FDCWD */

extern int slots[SLOTS];

/* Returns the descriptor of a slot, AT_FDCWD, or -EBADF. */
int slot_get(s64 slot);

/* Stores `fd` in a slot, or returns the error that it is. Closes `fd` and returns -EBUSY if the slot is taken. */
long slot_put(s64 slot, long fd);

#endif
