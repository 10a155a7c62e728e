/* SPDX-License-Identifier: Apache-2.0 */
/* The words of a command line that need no Node: a subset of what parse-flags.ts of @lamella/oci-runtime reads. */
#include "base/text.h"
#include "oci/oci.h"

/* A flag as it was typed: `--name`, `-name` or `-n`, and its value after an equals sign, or NULL. */
struct flag {
	const char *name, *value;
	size_t length;
};

static bool read_flag(const char *word, struct flag *flag)
{
	if (word[0] != '-' || !word[1])
		return false;
	flag->name = word + (word[1] == '-' ? 2 : 1);
	flag->value = NULL;
	for (flag->length = 0; flag->name[flag->length]; flag->length++)
		if (flag->name[flag->length] == '=') {
			flag->value = flag->name + flag->length + 1;
			break;
		}
	return flag->length;
}

static bool is_named(const struct flag *flag, const char *name)
{
	size_t i = 0;

	while (i < flag->length && flag->name[i] == name[i])
		i++;
	return i == flag->length && !name[i];
}

/* Takes the value of a flag, which may be the next word. Returns NULL if there is none. */
static const char *value_of(const struct flag *flag, char ***words)
{
	return flag->value ? flag->value : **words ? *(*words)++ : NULL;
}

/* Reads a switch. Returns false for a value that is none. */
static bool read_switch(const struct flag *flag, bool *on)
{
	*on = !flag->value || same_text(flag->value, "true") || same_text(flag->value, "1");
	return *on || same_text(flag->value, "false") || same_text(flag->value, "0");
}

static bool is_format(const char *format, const char *first, const char *second)
{
	return format && (same_text(format, first) || same_text(format, second));
}

/* Reads the flags before the command. What is logged goes to Node, so the log is only checked. */
static bool read_globals(char ***words, struct oci_words *read)
{
	struct flag flag;
	bool on;

	while (**words && ***words == '-') {
		if (!read_flag(*(*words)++, &flag))
			return false;
		if (is_named(&flag, "root")) {
			read->root = value_of(&flag, words);
			if (!read->root)
				return false;
		} else if (is_named(&flag, "log") || is_named(&flag, "rootless") || is_named(&flag, "criu")) {
			if (!value_of(&flag, words))
				return false;
		} else if (is_named(&flag, "log-format")) {
			if (!is_format(value_of(&flag, words), "text", "json"))
				return false;
		} else if (!is_named(&flag, "systemd-cgroup") || !read_switch(&flag, &on)) {
			return false;
		}
	}
	return true;
}

static bool read_command_flag(const struct flag *flag, char ***words, struct oci_words *read)
{
	if (same_text(read->command, "delete") && (is_named(flag, "force") || is_named(flag, "f")))
		return read_switch(flag, &read->force);
	if (!same_text(read->command, "list"))
		return false;
	if (is_named(flag, "quiet") || is_named(flag, "q"))
		return read_switch(flag, &read->quiet);
	if (is_named(flag, "format") || is_named(flag, "f")) {
		const char *format = value_of(flag, words);

		if (!is_format(format, "table", "json"))
			return false;
		read->json = same_text(format, "json");
		return true;
	}
	return false;
}

bool oci_words_read(char **words, struct oci_words *read)
{
	*read = (struct oci_words){ 0 };
	if (!read_globals(&words, read) || !*words)
		return false;
	read->command = *words++;
	while (*words) {
		const char *word = *words++;
		struct flag flag;

		if (word[0] == '-') {
			if (!read_flag(word, &flag) || !read_command_flag(&flag, &words, read))
				return false;
			continue;
		}
		if (read->arguments == 2)
			return false;
		read->argument[read->arguments++] = word;
	}
	return true;
}
