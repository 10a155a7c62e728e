/* SPDX-License-Identifier: Apache-2.0 */
/* Structures and constants of the kernel that its headers leave to a libc. */
#ifndef LAMELLA_KERNEL_H
#define LAMELLA_KERNEL_H

#include "base/sys.h"
#include <linux/stat.h>

/* linux/stat.h leaves these to the libc where there is one: in the sanitizer builds. */
#ifndef S_IFMT
#define S_IFMT 00170000
#define S_IFLNK 0120000
#define S_IFREG 0100000
#define S_IFDIR 0040000
#define S_IFCHR 0020000
#endif
/* A libc hides this one as well. */
#ifndef S_IFIFO
#define S_IFIFO 0010000
#endif

/* Some C libraries define these; the kernel's headers do not. */
#define MSG_NOSIGNAL_FLAG 0x4000
#define MSG_TRUNC 0x20
#ifndef AF_UNIX
#define AF_UNIX 1
#endif

/* The part of the kernel's siginfo that waitid(2) fills in and this program reads. */
struct info {
	int signo, err, code, pad;
	int pid, uid, status;
	u8 rest[100];
};
#define EXITED_BY_ITSELF 1 /* CLD_EXITED */

/* getdents64(2) */
struct dirent64 {
	u64 ino;
	s64 off;
	u16 reclen;
	u8 type;
	char name[];
};

#endif
