/* SPDX-License-Identifier: Apache-2.0 */
#include "base/environment.h"
#include <stddef.h>

const char *variable(char **envp, const char *name)
{
	for (; *envp; envp++) {
		const char *at = *envp, *wanted = name;

		while (*wanted && *at == *wanted)
			at++, wanted++;
		if (!*wanted && *at == '=')
			return at + 1;
	}
	return NULL;
}
