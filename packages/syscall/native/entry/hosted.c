/* SPDX-License-Identifier: Apache-2.0 */
/* The entry point of the sanitizer build, which uses a libc. */
#include "launch/fill.h"
#include "oci/oci.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int lamella_main(int argc, char **argv, char **envp);

/* Reads records from stdin, each after its length, and prints for each whether it is whole. Each has a separate allocation of its size. */
static int read_records(void)
{
	u32 size;

	while (fread(&size, sizeof(size), 1, stdin) == 1) {
		u8 *data = malloc(size ? size : 1);
		struct oci_record record;
		volatile char sink = 0;
		bool whole;

		if (!data || fread(data, 1, size, stdin) != size)
			return 1;
		whole = oci_record_parse(data, size, &record);
		for (int i = 0; whole && i < OCI_TEXTS; i++)
			for (u32 j = 0; j <= record.text[i].length; j++)
				sink ^= record.text[i].at[j];
		putchar(whole ? '1' : '0');
		free(data);
	}
	return 0;
}

/* Writes a filled template after its length, which is -1 if it cannot be filled. */
static void write_filled(const struct template *template, const struct filling *filling)
{
	static u8 filled[1 << 20];
	long length = fill(template, filling, filled, sizeof(filled));
	int shown = (int)length;

	fwrite(&shown, sizeof(shown), 1, stdout);
	if (length > 0)
		fwrite(filled, 1, (size_t)length, stdout);
}

/*
 * Reads records of runs, each after its length, and writes for each whether it is whole, and then its four templates,
 * filled with the command's words in `argv`.
 */
static int read_runs(int argc, char **argv)
{
	static struct record record;
	static struct condition condition;
	struct filling filling = { "0123456789ab", "curious_noether", "2026-11-27T16:55:01.234Z", 1795798501, 234000000, argv, (u32)argc, 33, 144 };
	u32 size;

	while (fread(&size, sizeof(size), 1, stdin) == 1) {
		u8 *data = malloc(size ? size : 1);
		int whole;

		if (!data || fread(data, 1, size, stdin) != size)
			return 1;
		whole = record_read(data, size, &record);
		putchar(whole ? '1' : '0');
		if (whole) {
			struct reader conditions = record.conditions;

			for (u32 i = 0; i < record.condition_count; i++)
				record_condition(&conditions, &condition);
			write_filled(&record.program, &filling);
			write_filled(&record.context, &filling);
			write_filled(&record.title, &filling);
			write_filled(&record.left, &filling);
		}
		free(data);
	}
	return 0;
}

int main(int argc, char **argv, char **envp)
{
	if (argc == 2 && !strcmp(argv[1], "records"))
		return read_records();
	if (argc >= 2 && !strcmp(argv[1], "runs"))
		return read_runs(argc - 2, argv + 2);
	return lamella_main(argc, argv, envp);
}
