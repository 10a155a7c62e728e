/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

size_t length_of(const char *text)
{
	size_t length = 0;

	while (text[length])
		length++;
	return length;
}

char *append(char *at, const char *text)
{
	while (*text)
		*at++ = *text++;
	*at = 0;
	return at;
}

char *append_number(char *at, int number)
{
	int digits = 1;

	for (int v = number; v >= 10; v /= 10)
		digits++;
	at += digits;
	*at = 0;
	for (char *digit = at; digits; digits--, number /= 10)
		*--digit = (char)('0' + number % 10);
	return at;
}

char *descriptor_path(char *at, int fd)
{
	return append_number(append(at, "/proc/self/fd/"), fd);
}

void process_path(char *at, int pid, const char *file)
{
	append(append_number(append(at, "/proc/"), pid), file);
}

int same_text(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}
