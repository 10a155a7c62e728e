/* SPDX-License-Identifier: Apache-2.0 */
#include "tree/overlay.h"
#include "tree/record.h"
#include "base/text.h"
#include "tree/marks.h"
#include <linux/fcntl.h>

int is_whiteout(const struct statx *st)
{
	return is(st, S_IFCHR) && !st->stx_rdev_major && !st->stx_rdev_minor;
}

long is_opaque(int fd, enum overlay overlay)
{
	char proc[32], value[8];
	long n;

	if (overlay == FILES) {
		n = SYS(faccessat, fd, OPAQUE_FILE, 0);
		return n == -ENOENT ? 0 : n < 0 ? n : 1;
	}
	descriptor_path(proc, fd);
	n = SYS(getxattr, proc, overlay == USER ? USER_OPAQUE : TRUSTED_OPAQUE, value, sizeof(value));
	if (n < 0)
		return n == -ENODATA || n == -EOPNOTSUPP ? 0 : n;
	return n == 1 && value[0] == 'y';
}
