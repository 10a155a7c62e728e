/* SPDX-License-Identifier: Apache-2.0 */
/* Trees of files: opening without following links, removing, walking, comparing, copying. */
#ifndef LAMELLA_TREE_H
#define LAMELLA_TREE_H

#include "wire/frame.h"

int is_dot(const char *name);
struct open_how;
/* Calls openat2(2), and calls it again when a rename at the same time kept the kernel from deciding. */
long openat2_again(int dirfd, const char *path, const struct open_how *how);
/* Opens a directory without following links. Returns -EXDEV for a mount point. */
long directory_below(int dirfd, const char *name);
/* Opens the directory that a walk begins with. It may be a mount point, and its parents may be links; it must not be a link itself. */
long directory_top(int dirfd, const char *path);
long tree_remove(int dirfd, const char *path);
long tree_make_path(int root, const char *path, int directory, u32 mode);

/* Where the marks of an overlay are: in attributes, or in names of files. */
enum overlay { PLAIN, TRUSTED, USER, FILES };
long tree_walk(int dirfd, const char *path, u32 index, s64 content);
/*
 * Walks with all contents and with what is mounted below, except for filesystems whose files the kernel
 * makes up and the filesystem that `without` is in (-1: none).
 */
long tree_walk_seen(int dirfd, const char *path, u32 index, int without);
long tree_compare(int upper, int lower, enum overlay overlay, u32 index);
long object_tell(int dirfd, const char *path, u32 index);

/* How an object is copied: see object_copy. */
enum { COPY_METADATA = 1, COPY_MARKS = 2, COPY_DIRECTORY = 4, COPY_OTHER = 8 };
long object_copy(int olddir, const char *oldname, int newdir, const char *newname, int how);

/*
 * Returns -EBUSY if a descriptor is the root itself, and -EXDEV if it is outside of the root. With `exact` it must
 * be at `path` in the root, else -ELOOP: a link led away. Without, it must not be at or below one of `outside`,
 * paths that each end in a NUL, else -EXDEV.
 */
long place_check(int root, int fd, const char *path, int exact, const struct bytes *outside);
/* What is at `path` in the root, if anything, must be the root of a mount, and read-only if asked; else -ESTALE. */
long place_covered(int root, const char *path, int readonly);
/* A descriptor's filesystem must be of this type (statfs(2)), else -ESTALE. */
long place_type(int fd, u64 type);

#endif
