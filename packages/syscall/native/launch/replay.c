/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starts a container again from the record of an earlier run, without Node. Everything that decides is in the record:
 * this program compares and fills in. In doubt it does nothing, and Node runs the command.
 */
#include "base/environment.h"
#include "base/kernel.h"
#include "base/send.h"
#include "base/text.h"
#include "launch/conditions.h"
#include "launch/fill.h"
#include "launch/launch.h"
#include "launch/store.h"
#include <linux/fcntl.h>

#define PATH_LENGTH 4096
#define FILE_NAME_LENGTH 24
/* The most words of a command line of which each beginning is looked up. */
#define LOOKED_UP 48
/* See MAX_STRINGS in src/run/front.ts. */
#define PROGRAM_MAX 88000
#define OWN_VARIABLES 4
#define ENVIRONMENT_MAX 8192

static u8 bytes[RECORD_MAX + 1];
static struct record record;
static struct condition failed;
static struct filling filling;
static u8 program[PROGRAM_MAX];
static char context[65536], title[65536], left[8192];

/* The directory of the user's records; see recordsDirectory() in src/replay/record-file.ts. Returns a descriptor, or an error. */
static long open_records(char **envp)
{
	static char path[PATH_LENGTH];
	const char *cache = variable(envp, "XDG_CACHE_HOME"), *home = variable(envp, "HOME");
	const char *parts[] = { cache, "", "/lamella/replay" };
	struct statx about;
	long fd;

	if (!cache || !*cache) {
		parts[0] = home && *home ? home : "/var";
		parts[1] = home && *home ? "/.cache" : "/cache";
		if (!(home && *home) && SYS(geteuid))
			return -ENOENT;
	}
	if (parts[0][0] != '/' || !join_path(path, sizeof(path), parts, 3))
		return -ENOENT;
	fd = SYS(openat, AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	if (SYS(statx, fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &about) == 0 && about.stx_uid == (u32)SYS(geteuid) &&
	    (about.stx_mode & 0777) == 0700)
		return fd;
	SYS(close, fd);
	return -EPERM;
}

/* The hash in hexadecimal, and which words follow: fileNameOf() in src/replay/record-file.ts. */
static void file_name(char *at, u64 hash, enum command_words words)
{
	for (int shift = 60; shift >= 0; shift -= 4)
		*at++ = "0123456789abcdef"[hash >> shift & 15];
	*at++ = '-';
	*at++ = (char)('0' + words);
	*at = 0;
}

/* Reads a private file whole. Returns its length; -EINVAL for what is no such file, or too long. */
static long read_file(long directory, const char *name)
{
	struct statx about;
	long length = 0, n, fd = SYS(openat, directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0);

	if (fd == -ELOOP)
		return -EINVAL;
	if (fd < 0)
		return fd;
	n = SYS(statx, fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &about);
	if (n < 0 || (about.stx_mode & S_IFMT) != S_IFREG || (about.stx_mode & 077) || about.stx_uid != (u32)SYS(geteuid) ||
	    about.stx_size > RECORD_MAX)
		length = -EINVAL;
	while (length >= 0 && length <= RECORD_MAX && (n = SYS(read, fd, bytes + length, sizeof(bytes) - (size_t)length)) > 0)
		length += n;
	SYS(close, fd);
	return length > RECORD_MAX ? -EINVAL : length;
}

/* Whether the words at the beginning of the command line are those of the record. */
static int is_for(const struct launch *launch, const char *package, int count, enum command_words words)
{
	if (record.command_words != words || record.word_count != (u32)count || !same_text(record.package.at, package))
		return 0;
	for (int i = 0; i < count; i++)
		if (!same_text(record.words[i].at, launch->words[i]))
			return 0;
	return 1;
}

static enum command_words kind_of_words(const struct launch *launch, int before)
{
	if (before == launch->count)
		return COMMAND_NONE;
	for (const char *at = launch->words[before]; *at; at++)
		if (*at == '/')
			return COMMAND_PATH;
	return COMMAND_NAME;
}

/* Finds the record of a command line. Returns the number of words before the command's own; -1 if there is none. */
static int find_record(const struct launch *launch, const char *package)
{
	u64 hash = hash_more(HASH_BEGIN, package, length_of(package) + 1);
	long directory = open_records(launch->envp), length;
	char name[FILE_NAME_LENGTH];
	int found = -1;

	if (directory < 0)
		return -1;
	for (int i = 0; i < launch->count && i < LOOKED_UP && found < 0; i++) {
		enum command_words words = kind_of_words(launch, i + 1);

		hash = hash_more(hash, launch->words[i], length_of(launch->words[i]) + 1);
		file_name(name, hash, words);
		length = read_file(directory, name);
		if (length == -ENOENT)
			continue;
		if (length >= 0 && record_read(bytes, (size_t)length, &record)) {
			/* Another command line may have the same hash. */
			if (is_for(launch, package, i + 1, words))
				found = i + 1;
			continue;
		}
		/* It is damaged, or was not written by this program for this user. */
		SYS(unlinkat, directory, name, 0);
	}
	SYS(close, directory);
	return found;
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Base64 without padding (RFC 4648), and a NUL. */
static void encode(char *into, const u8 *from, size_t length)
{
	u32 bits = 0;
	int count = 0;

	for (size_t i = 0; i < length; i++) {
		bits = bits << 8 | from[i];
		for (count += 8; count >= 6; count -= 6)
			*into++ = alphabet[bits >> (count - 6) & 63];
	}
	if (count)
		*into++ = alphabet[bits << (6 - count) & 63];
	*into = 0;
}

static int begins_with(const char *text, const char *with)
{
	while (*with && *text == *with)
		text++, with++;
	return !*with;
}

static const char *const own_names[OWN_VARIABLES] = { "LAMELLA_PROGRAM=", "LAMELLA_CONTEXT=", "LAMELLA_LEFT=", "LAMELLA_MAPS=" };

static int is_own(const char *text)
{
	for (int i = 0; i < OWN_VARIABLES; i++)
		if (begins_with(text, own_names[i]))
			return 1;
	return 0;
}

/* The environment of the front: the caller's, and its own variables. Returns NULL if there are too many. */
static char **environment(char **given, size_t length)
{
	static char program_text[PROGRAM_MAX / 3 * 4 + 32], context_text[sizeof(context) + 32], left_text[sizeof(left) + 32];
	static char maps_text[8192 + 32];
	static char *envp[ENVIRONMENT_MAX];
	const char *const contents[OWN_VARIABLES] = { NULL, context, left, record.maps.at };
	char *const texts[OWN_VARIABLES] = { program_text, context_text, left_text, maps_text };
	const size_t rooms[OWN_VARIABLES] = { sizeof(program_text), sizeof(context_text), sizeof(left_text), sizeof(maps_text) };
	int count = 0;

	for (; *given; given++) {
		if (count + OWN_VARIABLES + 1 >= ENVIRONMENT_MAX)
			return NULL;
		if (!is_own(*given))
			envp[count++] = *given;
	}
	for (int i = 0; i < OWN_VARIABLES; i++) {
		const char *parts[] = { own_names[i], contents[i] ? contents[i] : "" };

		if (!join_path(texts[i], rooms[i], parts, 2))
			return NULL;
		envp[count++] = texts[i];
	}
	encode(program_text + length_of(own_names[0]), program, length);
	envp[count] = NULL;
	return envp;
}

/* Becomes the front of the container. Returns only if the kernel refuses. */
static void start(const struct launch *launch, size_t length)
{
	static char reads_stdin[] = "1", reads_nothing[] = "0", leaves[] = "d", role[] = "sealed-front";
	char *argv[7], **envp = environment(launch->envp, length);

	if (!envp)
		return;
	argv[0] = title;
	argv[1] = role;
	argv[2] = record.flags & RECORD_DETACHED ? leaves : record.flags & RECORD_STDIN ? reads_stdin : reads_nothing;
	for (int i = 0; i < 3; i++)
		argv[3 + i] = (char *)(uintptr_t)record.explainer[i].at;
	argv[6] = NULL;
	if (record.flags & RECORD_DEBUG)
		say("lamella: started from the record of an earlier run\n");
	reexec_sealed(argv, envp);
}

static int fill_all(size_t *length)
{
	long filled = fill(&record.program, &filling, program, sizeof(program));

	if (filled < 0 || fill(&record.context, &filling, (u8 *)context, sizeof(context)) < 0 ||
	    fill(&record.title, &filling, (u8 *)title, sizeof(title)) < 0 || fill(&record.left, &filling, (u8 *)left, sizeof(left)) < 0)
		return 0;
	*length = (size_t)filled;
	return 1;
}

/* The real path of the installed package, by which its records are found. */
static int real_path(const char *directory, char *into, size_t room)
{
	char link[32];
	long n, fd = SYS(openat, AT_FDCWD, directory, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);

	if (fd < 0)
		return 0;
	descriptor_path(link, (int)fd);
	n = SYS(readlinkat, AT_FDCWD, link, into, room - 1);
	SYS(close, fd);
	if (n <= 0 || n >= (long)room - 1)
		return 0;
	into[n] = 0;
	return 1;
}

bool replay_command(const struct launch *launch, int *status)
{
	static char package[PATH_LENGTH];
	const char *wanted = variable(launch->envp, "LAMELLA_REPLAY");
	size_t length;
	int before;

	(void)status;
	if ((wanted && same_text(wanted, "0")) || SYS(getuid) != SYS(geteuid) || SYS(getgid) != SYS(getegid))
		return false;
	if (!real_path(launch->directory, package, sizeof(package)))
		return false;
	before = find_record(launch, package);
	if (before < 0 || !conditions_hold(&record, launch->envp, &failed))
		return false;
	filling.words = launch->words + before;
	filling.count = (u32)(launch->count - before);
	if (!choose(&filling, &record) || !fill_all(&length))
		return false;
	start(launch, length);
	return false;
}
