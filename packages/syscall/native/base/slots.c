/* SPDX-License-Identifier: Apache-2.0 */
#include "base/slots.h"
#include <linux/fcntl.h>

int slots[SLOTS];

int slot_get(s64 slot)
{
	if (slot == SLOT_CWD)
		return AT_FDCWD;
	if (slot < 0 || slot >= SLOTS || slots[slot] < 0)
		return -EBADF;
	return slots[slot];
}

long slot_put(s64 slot, long fd)
{
	if (fd < 0)
		return fd;
	if (slot < 5 || slot >= SLOTS || slots[slot] >= 0) {
		SYS(close, fd);
		return -EBUSY;
	}
	slots[slot] = (int)fd;
	return fd;
}
