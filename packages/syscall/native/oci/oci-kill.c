/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/oci.h"

#define SIGNALS_MAX 64

/* Names by number, without SIG (signal(7)). Names of real-time signals are for Node. */
static const char *const names[] = {
	NULL,	"HUP",	"INT",	"QUIT", "ILL",	"TRAP", "ABRT", "BUS",	"FPE",	"KILL",	  "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM",
	"STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",	"XCPU", "XFSZ",	  "VTALRM", "PROF", "WINCH", "IO",	"PWR",	"SYS",
};

static char upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

/* Whether a text is this name in any case, as far as the name goes. Returns where the text goes on, or NULL. */
static const char *after(const char *text, const char *name)
{
	for (; *name; text++, name++)
		if (upper(*text) != *name)
			return NULL;
	return text;
}

/* Returns -1 for what Node has to read. */
static int signal_number(const char *text)
{
	const char *name = after(text, "SIG");
	int number = 0;

	if (!name)
		name = text;
	if (*name >= '0' && *name <= '9') {
		for (; *name >= '0' && *name <= '9' && number <= SIGNALS_MAX; name++)
			number = number * 10 + (*name - '0');
		return *name || number > SIGNALS_MAX ? -1 : number;
	}
	for (number = 1; number < (int)(sizeof(names) / sizeof(names[0])); number++) {
		const char *end = after(name, names[number]);

		if (end && !*end)
			return number;
	}
	return -1;
}

bool oci_kill(int root, const struct oci_words *words)
{
	int signo = signal_number(words->arguments > 1 ? words->argument[1] : "TERM");
	struct oci_container container;

	if (signo < 0 || !oci_open(root, words->argument[0], &container))
		return false;
	return container.init >= 0 && SYS(pidfd_send_signal, container.init, signo, 0, 0) >= 0;
}
