/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands of `lamella-oci` that need no Node: state, start, kill, delete and list. `create` writes a record with
 * everything that they print, open and remove. Where a command finds anything else than it expects, it returns false,
 * and Node runs the command. TypeScript in packages/oci-runtime does the same, with errors, hooks and logs.
 */
#ifndef LAMELLA_OCI_H
#define LAMELLA_OCI_H

#include "launch/launch.h"

#define OCI_RECORD "record"
#define OCI_FIFO "exec.fifo"
#define OCI_ID_MAX 255

/* Flags of a record. Without them Node starts or deletes the container, because of hooks, for example. */
#define OCI_STARTS 1
#define OCI_DELETES 2
/* The freezer is of version 2 of cgroups. */
#define OCI_FREEZER_V2 4

struct text {
	const char *at;
	u32 length;
};

/* Which file it was, and its content by its times. */
struct file_mark {
	u64 inode, size, modified, changed;
};

/* The texts of a record, in their order. packages/oci-runtime/src/state/launch-record.ts writes them. */
enum oci_text {
	OCI_BOOT,
	/* The output of `state`, before the pid, before the status, and after it. */
	OCI_STATE_PID,
	OCI_STATE_STATUS,
	OCI_STATE_END,
	/* An element of the output of `list --format json`, the same, and before the owner, and after it. */
	OCI_JSON_PID,
	OCI_JSON_STATUS,
	OCI_JSON_OWNER,
	OCI_JSON_END,
	/* Cells of the table of `list`. */
	OCI_CELL_ID,
	OCI_CELL_BUNDLE,
	OCI_CELL_CREATED,
	/* The file that shows whether the container is frozen, or nothing. */
	OCI_FREEZER,
	OCI_TEXTS,
};

struct oci_record {
	u32 flags, owner, pid, bundle_width;
	u64 start_time;
	struct file_mark state, config;
	struct text text[OCI_TEXTS];
	/* The cgroups to remove, each as a length, bytes and a NUL. */
	const u8 *cgroups, *end;
};

/* oci-record.c */
/* Returns false for anything that is not a whole record of this version. The texts stay in `data`. */
bool oci_record_parse(const u8 *data, size_t size, struct oci_record *record);
/* Takes the next text from the bytes up to `end`. Returns false if there is none. */
bool oci_next_text(const u8 **at, const u8 *end, struct text *text);

/* oci-container.c */
enum oci_status { OCI_CREATED, OCI_RUNNING, OCI_PAUSED, OCI_STOPPED };
extern const char *const oci_status_names[];

struct oci_container {
	/* The directory of the container's state. */
	int directory;
	u64 inode;
	/* A pidfd of the init, or -1 if it has ended. */
	int init;
	enum oci_status status;
	bool frozen;
	struct oci_record record;
};

/* Opens the directory with the states of all containers: that of --root, or the default. Returns -errno. */
long oci_open_root(const char *root, char **envp);
bool oci_is_id(const char *name);
/* Reads a container's record, and its status from the kernel. Returns false if Node has to. */
bool oci_open(int root, const char *id, struct oci_container *container);
void oci_close(const struct oci_container *container);
/*
 * Waits for the lock of a container and opens the container again, because it may have changed meanwhile. Returns the
 * descriptor that holds the lock, or -1 if Node has to take it.
 */
int oci_lock(int root, const char *id, struct oci_container *container);

/* oci-words.c */
struct oci_words {
	const char *root;
	const char *command;
	/* --force, --quiet */
	bool force, quiet;
	/* --format json */
	bool json;
	const char *argument[2];
	int arguments;
};
/* Reads a command line. Returns false for everything that Node has to read, refuse or log. */
bool oci_words_read(char **words, struct oci_words *read);

/* The commands. They return false if Node has to run the command, and they may already have done a part of it then. */
bool oci_state(int root, const struct oci_words *words);
bool oci_list(int root, const struct oci_words *words);
bool oci_kill(int root, const struct oci_words *words);
bool oci_start(int root, const struct oci_words *words, const struct launch *launch);
bool oci_delete(int root, const struct oci_words *words);

/* Prints to stdout. Returns false if that failed before anything was printed. */
bool oci_print(const char *text, size_t length);

/* oci-command.c */
/* Runs a command of `lamella-oci`. Returns false if Node has to run it. */
bool oci_command(const struct launch *launch);

#endif
