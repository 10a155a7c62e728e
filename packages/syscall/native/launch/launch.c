/* SPDX-License-Identifier: Apache-2.0 */
#include "launch/launch.h"
#include "base/send.h"
#include "base/text.h"
#include "oci/oci.h"
#include <linux/fcntl.h>
#include <linux/mman.h>

#define EXIT_LAMELLA 125
#define EXIT_OCI 1

static void say_error(const struct launch *launch, const char *text)
{
	say(launch->name);
	say(": ");
	say(text);
}

static const char *reason(long error)
{
	switch (-error) {
	case E2BIG:
		return "the argument list is too long";
	case EACCES:
		return "permission denied";
	case ENOENT:
		return "it does not exist, or its interpreter does not";
	case ENOEXEC:
		return "the file has no format that this machine executes";
	case ENOMEM:
		return "no memory is left";
	}
	return "the kernel refused it";
}

/* Node opens /dev/null for a stdout that is closed, and output would be lost without an error. This one refuses writes. */
static void keep_stdout_closed(void)
{
	long null;

	if (SYS(fcntl, 1, F_GETFD, 0) != -EBADF)
		return;
	null = SYS(openat, AT_FDCWD, "/dev/null", O_RDONLY, 0);
	if (null == 1 || null < 0)
		return;
	SYS(dup3, null, 1, 0);
	SYS(close, null);
}

/*
 * Executes `NODE COMMAND : :WORD…`. Node obeys some options among the words of the user, so each word has a colon before
 * it: restore-arguments.ts has the contract. Returns only if that fails.
 */
static long execute_node(const struct launch *launch, const char *node, const char *named)
{
	size_t size = ((size_t)launch->count + 4) * sizeof(char *);
	char **argv, *text;
	long memory;

	for (int i = 0; i < launch->count; i++)
		size += length_of(launch->words[i]) + 2;
	memory = SYS(mmap, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory < 0 && memory > -4096)
		return memory;
	argv = (char **)memory;
	text = (char *)(argv + launch->count + 4);
	argv[0] = (char *)(uintptr_t)named;
	argv[1] = launch->command;
	argv[2] = ":";
	for (int i = 0; i < launch->count; i++) {
		argv[3 + i] = text;
		*text++ = ':';
		text = append(text, launch->words[i]) + 1;
	}
	keep_stdout_closed();
	return SYS(execve, node, argv, launch->envp);
}

static int run_node(const struct launch *launch)
{
	const char *named, *node = find_node(launch, &named);

	if (!node) {
		say_error(launch, "there is no '");
		say(named);
		say("' beside ");
		say(launch->command);
		say(" or in PATH: install Node 24 or later, or name one in LAMELLA_NODE\n");
	} else {
		long error = execute_node(launch, node, named);

		say_error(launch, "cannot execute ");
		say(node);
		say(": ");
		say(reason(error));
		say("\n");
	}
	return same_text(launch->name, "lamella") ? EXIT_LAMELLA : EXIT_OCI;
}

int launch(int argc, char **argv, char **envp)
{
	struct launch launch = {
		.name = argv[2],
		.directory = argv[3],
		.command = argv[4],
		.words = argv + LAUNCH_WORDS,
		.count = argc - LAUNCH_WORDS,
		.envp = envp,
	};
	int status;

	if (same_text(launch.name, "lamella") && replay_command(&launch, &status))
		return status;
	if (same_text(launch.name, "lamella-oci") && oci_command(&launch))
		return 0;
	return run_node(&launch);
}
