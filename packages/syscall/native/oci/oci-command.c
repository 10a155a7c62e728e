/* SPDX-License-Identifier: Apache-2.0 */
#include "base/environment.h"
#include "base/text.h"
#include "oci/oci.h"
#include <linux/poll.h>

bool oci_print(const char *text, size_t length)
{
	struct pollfd full = { 1, POLLOUT, 0 };
	bool begun = false;

	while (length) {
		long n = SYS(write, 1, text, length);

		if (n == -EAGAIN) {
			SYS(ppoll, &full, 1, 0, 0, 0);
			continue;
		}
		if (n == -EINTR)
			continue;
		if (n < 0)
			return begun;
		begun = true;
		text += n;
		length -= (size_t)n;
	}
	return true;
}

bool oci_command(const struct launch *launch)
{
	const char *replay = variable(launch->envp, "LAMELLA_REPLAY");
	struct oci_words words;
	long root;

	if ((replay && same_text(replay, "0")) || !oci_words_read(launch->words, &words))
		return false;
	root = oci_open_root(words.root, launch->envp);
	if (root < 0)
		return false;
	if (same_text(words.command, "list"))
		return !words.arguments && oci_list((int)root, &words);
	if (!words.arguments || !oci_is_id(words.argument[0]))
		return false;
	if (same_text(words.command, "kill"))
		return oci_kill((int)root, &words);
	if (words.arguments > 1)
		return false;
	if (same_text(words.command, "state"))
		return oci_state((int)root, &words);
	if (same_text(words.command, "start"))
		return oci_start((int)root, &words, launch);
	if (same_text(words.command, "delete"))
		return oci_delete((int)root, &words);
	return false;
}
