/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts, roots and working directories. */
#include "ops/op.h"
#include <linux/mount.h>

OP(mount)
{
	return SYS(mount, S(0), S(1), S(2), N(0), S(3));
}

OP(umount2)
{
	return SYS(umount2, S(0), N(0));
}

OP(open_tree)
{
	FD(dirfd, 0);
	return slot_put(N(2), SYS(open_tree, dirfd, S(0), N(1)));
}

OP(move_mount)
{
	FD(from, 0);
	FD(to, 1);
	return SYS(move_mount, from, S(0), to, S(1), N(2));
}

OP(mount_setattr)
{
	FD(dirfd, 0);
	struct mount_attr attr = {
		.attr_set = (u64)N(2),
		.attr_clr = (u64)N(3),
		.propagation = (u64)N(4),
	};

	if (N(5) != -1) {
		FD(userns, 5);
		attr.userns_fd = (u64)userns;
	}
	return SYS(mount_setattr, dirfd, S(0), N(1), &attr, sizeof(attr));
}

OP(fsopen)
{
	return slot_put(N(1), SYS(fsopen, S(0), N(0)));
}

OP(fsconfig)
{
	FD(fd, 0);
	int aux = 0;

	if (N(2) != -1) {
		aux = slot_get(N(2));
		if (aux == -EBADF)
			return -EBADF;
	}
	return SYS(fsconfig, fd, N(1), S(0), S(1), aux);
}

OP(fsmount)
{
	FD(fd, 0);
	return slot_put(N(3), SYS(fsmount, fd, N(1), N(2)));
}

OP(pivot_root)
{
	return SYS(pivot_root, S(0), S(1));
}

OP(chdir)
{
	return SYS(chdir, S(0));
}

OP(fchdir)
{
	FD(fd, 0);
	return SYS(fchdir, fd);
}

OP(chroot)
{
	return SYS(chroot, S(0));
}
