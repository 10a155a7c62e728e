/* SPDX-License-Identifier: Apache-2.0 */
/* Compound ops on trees of files; tree/ does the work. */
#include "ops/op.h"
#include "tree/tree.h"
#include <linux/fcntl.h>

/* Compound: the number of calls depends on the tree. A missing tree is not an error. */
OP(rmtree)
{
	FD(dirfd, 0);
	return tree_remove(dirfd, S(0));
}

OP(walk)
{
	FD(dirfd, 0);
	return tree_walk(dirfd, S(0), frame->index, N(1));
}

/* Compound: walks a tree as this mount namespace shows it. The second slot may be empty. */
OP(walk_seen)
{
	FD(dirfd, 0);
	return tree_walk_seen(dirfd, S(0), frame->index, slot_get(N(1)));
}

/* Compound: reports what an overlay's upper directory changed in the lower one, or how two whole trees differ. */
OP(compare)
{
	FD(upper, 0);
	FD(lower, 1);
	if (N(2) < PLAIN || N(2) > FILES)
		return -EINVAL;
	return tree_compare(upper, lower, (enum overlay)N(2), frame->index);
}

/* Compound: reports one object. */
OP(statx)
{
	FD(dirfd, 0);
	return object_tell(dirfd, S(0), frame->index);
}

OP(copy_object)
{
	FD(from, 0);
	FD(to, 1);
	if (N(2) & ~(COPY_METADATA | COPY_MARKS | COPY_DIRECTORY | COPY_OTHER))
		return -EINVAL;
	return object_copy(from, S(0), to, S(1), (int)N(2));
}

/* Compound: makes a path inside a root that the container may have prepared. A file must not be a directory. */
OP(mkpath)
{
	FD(root, 0);
	long fd = tree_make_path(root, S(0), N(1) != 0, (u32)N(2)), err;
	struct statx st;

	if (fd >= 0 && !N(1)) {
		err = SYS(statx, fd, "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_TYPE, &st);
		if (err == 0 && (st.stx_mode & S_IFMT) == S_IFDIR)
			err = -EISDIR;
		if (err < 0) {
			SYS(close, fd);
			return err;
		}
	}
	return slot_put(N(3), fd);
}
