/* SPDX-License-Identifier: Apache-2.0 */
/* The choice of Node. bin/lamella and bin/lamella-oci make the same choice where this program is not installed. */
#include "base/environment.h"
#include "base/text.h"
#include "launch/launch.h"
#include <linux/fcntl.h>

#define MAY_EXECUTE 1 /* X_OK */

/* As shells have it where no PATH is set. */
#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static bool is_program(const char *path)
{
	struct statx stat;

	if (SYS(faccessat, AT_FDCWD, path, MAY_EXECUTE) < 0)
		return false;
	return SYS(statx, AT_FDCWD, path, 0, STATX_TYPE, &stat) >= 0 && (stat.stx_mode & S_IFMT) == S_IFREG;
}

/* Writes `directory/name`, or the name alone in an empty directory. Returns false if that is too long. */
static bool join(char *to, const char *directory, size_t length, const char *name)
{
	if (length + length_of(name) + 2 > LAUNCH_PATH_MAX)
		return false;
	__builtin_memcpy(to, directory, length);
	if (length)
		to[length++] = '/';
	append(to + length, name);
	return true;
}

/* The length of the directory in a path, 0 if the path has none. */
static size_t directory_length(const char *path)
{
	size_t length = length_of(path);

	while (length && path[length - 1] != '/')
		length--;
	/* The root keeps its slash: `join` writes "//node", which is the same file. */
	return length > 1 ? length - 1 : length;
}

/* Looks for a name in the directories of PATH. An empty entry is the working directory. */
static const char *in_path(const char *name, const char *path)
{
	static char found[LAUNCH_PATH_MAX];

	for (;;) {
		size_t length = 0;

		while (path[length] && path[length] != ':')
			length++;
		if (join(found, path, length, name) && is_program(found))
			return found;
		if (!path[length])
			return NULL;
		path += length + 1;
	}
}

const char *find_node(const struct launch *launch, const char **named)
{
	static char beside[LAUNCH_PATH_MAX];
	const char *node = variable(launch->envp, "LAMELLA_NODE"), *path;

	if (!node || !*node) {
		if (join(beside, launch->directory, length_of(launch->directory), ".node") && is_program(beside))
			return *named = beside;
		if (join(beside, launch->command, directory_length(launch->command), "node") && is_program(beside))
			return *named = beside;
		node = "node";
	}
	*named = node;
	for (const char *at = node; *at; at++)
		if (*at == '/')
			return is_program(node) ? node : NULL;
	path = variable(launch->envp, "PATH");
	return in_path(node, path ? path : DEFAULT_PATH);
}
