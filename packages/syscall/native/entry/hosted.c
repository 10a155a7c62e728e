/* SPDX-License-Identifier: Apache-2.0 */
/* The entry point of the sanitizer build, which uses a libc. */
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

int main(int argc, char **argv, char **envp)
{
	if (argc == 2 && !strcmp(argv[1], "records"))
		return read_records();
	return lamella_main(argc, argv, envp);
}
