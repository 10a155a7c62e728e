/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the interpreter share: descriptors by slot, replies, running a program. */
#ifndef LAMELLA_INTERPRETER_H
#define LAMELLA_INTERPRETER_H

#include "frame.h"
#include <linux/stat.h>

/* linux/stat.h leaves these to the libc where there is one: in the sanitizer builds. */
#ifndef S_IFMT
#define S_IFMT 00170000
#define S_IFLNK 0120000
#define S_IFREG 0100000
#define S_IFDIR 0040000
#define S_IFCHR 0020000
#endif
/* What a libc has hidden, too. */
#ifndef S_IFIFO
#define S_IFIFO 0010000
#endif

/* Some C libraries say these, and kernel headers do not. */
#define MSG_NOSIGNAL_FLAG 0x4000
#define MSG_TRUNC 0x20
#ifndef AF_UNIX
#define AF_UNIX 1
#endif

/* The kernel's siginfo as waitid and rt_sigtimedwait fill it, as far as we read it. */
struct info {
	int signo, err, code, pad;
	int pid, uid, status;
	u8 rest[100];
};
#define EXITED_BY_ITSELF 1 /* CLD_EXITED */

#define FRAMES_FD 3
#define REPLIES_FD 4
#define SLOTS 8192
#define SLOT_CWD (-100) /* AT_FDCWD */

enum reply_kind {
	REPLY_OK = 1,
	REPLY_FAILED = 2,
	REPLY_IGNORED = 3,
	REPLY_DATA = 4,
	REPLY_STARTED = 5,
	REPLY_EXITED = 6,
	REPLY_TERMINAL = 7,
	REPLY_DETACHED = 8,
	REPLY_CONTENT = 9,
	REPLY_STOPPED = 10,
};

/* Descriptors that ops opened, by the number the program gave them; 0 to 2 are the stdio. */
extern int slots[SLOTS];
/* In the cloned process: the socket to its monitor. -1 elsewhere. */
extern int monitor_socket;

/* The descriptor of a slot, AT_FDCWD, or -EBADF. */
int slot_get(s64 slot);
/* Keep `fd` (or pass an error through); an occupied slot is -EBUSY and the fd is closed. */
long slot_put(s64 slot, long fd);

/* A reply was lost, and not because nobody listens any more: whoever waits for it has to learn by our end. */
extern int unheard, unread;

/* The first bytes of every reply; `length` bytes follow them. */
#define REPLY_HEADER 20
void reply_header(u8 *at, enum reply_kind kind, int err, u32 index, s64 value, u32 length);

void reply(enum reply_kind kind, int err, u32 index, s64 value, const void *data, u32 length);
/* Queue a DATA reply; replies_flush() sends what is queued. */
void reply_data(u32 index, const void *data, u32 length);
/* The same with a part of a file's content. */
void reply_content(u32 index, const void *data, u32 length);
void replies_flush(void);
void replies_to(int fd);

/* What was read of the stream beyond `end`, a place in it: it is for whoever reads on. */
size_t input_beyond(const char *end, const u8 **rest);

/* Run one op: its value, or -errno. */
long op_run(const struct frame *frame);

/*
 * Run a whole program from memory. With `keep_going` (exit programs) a failure is reported and
 * the next op runs; else the first failure ends it and is returned as -errno.
 */
long program_run(const u8 *at, size_t length, int keep_going);

/* The vectors of the last execve are no longer in memory. */
void execve_forget(void);

/* Run one frame and report as its flags ask; -errno when the program has to stop. */
long frame_run(const struct frame *frame);

/* The program that runs when the process it belongs to is gone; the one set last counts. */
long exit_program_set(struct bytes program);
void exit_program_run(void);

/* All of it, or -errno. */
long write_all(int fd, const void *from, size_t length);

/* Write a number and a NUL, 12 bytes at the most: where the NUL is. */
int same_text(const char *a, const char *b);
char *append_number(char *at, int number);

/* Write `/proc/self/fd/N` and a NUL, 26 bytes at the most: where the NUL is. */
char *descriptor_path(char *at, int fd);

/* Write `/proc/PID` and what follows, which has room for less than 48 bytes. */
void process_path(char *at, int pid, const char *file);

/* getdents64(2) */
struct dirent64 {
	u64 ino;
	s64 off;
	u16 reclen;
	u8 type;
	char name[];
};

/* tree.c */
int is_dot(const char *name);
struct open_how;
/* Every openat2(2) of ours: one that the kernel could not decide is tried again. */
long openat2_again(int dirfd, const char *path, const struct open_how *how);
/* Open a directory, never through a link and never into another mount, which is -EXDEV. */
long directory_below(int dirfd, const char *name);
/* The same for a top: its parents are the caller's, and it may be a mount point; only it must not be a link. */
long directory_top(int dirfd, const char *path);
long tree_remove(int dirfd, const char *path);
long tree_make_path(int root, const char *path, int directory, u32 mode);

/* walk.c */
enum overlay { PLAIN, TRUSTED, USER, FILES }; /* where the marks of an overlay are: in attributes, or in names of files */
long tree_walk(int dirfd, const char *path, u32 index, s64 content);
/* All contents, and what is mounted below, but for filesystems that the kernel makes up and the one that `without` is in (-1: none). */
long tree_walk_seen(int dirfd, const char *path, u32 index, int without);
long tree_compare(int upper, int lower, enum overlay overlay, u32 index);
long object_tell(int dirfd, const char *path, u32 index);

/* copy.c */
/* What a copy is: see object_copy. */
enum { COPY_METADATA = 1, COPY_MARKS = 2, COPY_DIRECTORY = 4, COPY_OTHER = 8 };
long object_copy(int olddir, const char *oldname, int newdir, const char *newname, int how);

/* place.c */
/*
 * A descriptor must not be the root itself (-EBUSY) nor outside of it (-EXDEV). With `exact` it must be at `path` in the root, which
 * no link led away from (-ELOOP); else it must not be at or below one of `outside`, paths that end in a NUL each (-EXDEV).
 */
long place_check(int root, int fd, const char *path, int exact, const struct bytes *outside);
/* What is at `path` in the root, if anything, must be the root of a mount, and read-only if asked: else -ESTALE. */
long place_covered(int root, const char *path, int readonly);
/* A descriptor's filesystem must be of this type (statfs(2)): else -ESTALE. */
long place_type(int fd, u64 type);

/* monitor.c */
long op_clone(const struct frame *frame);
long op_supervise(const struct frame *frame);

/* main.c */
long op_attempt(const struct frame *frame);

/* child.c */
long op_init(const struct frame *frame);
long op_wait(const struct frame *frame);
/* Send `length` bytes, and `fd` with them if it is not -1. */
long send_descriptor(int socket, const void *data, size_t length, int fd);

/* front.c */
/* The status to end with; or this, in the child, which is the interpreter from here on. */
#define FRONT_INTERPRETER (-1)
int front(int argc, char **argv, char **envp);
int front_not_sealed(void);

/* serve.c */
long op_serve(const struct frame *frame);
long op_await_served(const struct frame *frame);
long op_end_served(const struct frame *frame);
/* Whether one has ended that was still needed, and which op made it. */
int server_lost(u32 *index);

/* terminal.c */
long op_pty(const struct frame *frame);

#endif
