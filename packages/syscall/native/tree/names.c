/* SPDX-License-Identifier: Apache-2.0 */
/* Names of directories, sorted by their bytes. Lists form a stack: the last one made is dropped first. */
#include "base/kernel.h"
#include "tree/tree.h"
#include "tree/marks.h"
#include "tree/names.h"

/* The names of all lists: a byte of marks and a string each, then their sorted places. */
static struct {
	char *at;
	size_t used, size;
} names;

static long names_room(size_t more)
{
	size_t size = names.size ? names.size : 1 << 20;
	long at;

	if (names.used + more <= names.size)
		return 0;
	while (size < names.used + more)
		size *= 2;
	if (size > 0x40000000)
		return -EOVERFLOW;
	at = names.size ? SYS(mremap, names.at, names.size, size, 1 /* MREMAP_MAYMOVE */)
			: SYS(mmap, 0, size, 3 /* read, write */, 0x22 /* private, anonymous */, -1, 0);
	if (at < 0)
		return at;
	names.at = (char *)at;
	names.size = size;
	return 0;
}

static u32 *places(const struct name_list *list)
{
	return (u32 *)(void *)(names.at + list->at);
}

static const char *name_at(u32 place)
{
	return names.at + place + 1;
}

static int compare_names(u32 a, u32 b)
{
	const u8 *x = (const u8 *)name_at(a), *y = (const u8 *)name_at(b);

	while (*x && *x == *y)
		x++, y++;
	return *x - *y;
}

static void sift(u32 *heap, u32 from, u32 count)
{
	for (;;) {
		u32 child = 2 * from + 1, kept = heap[from];

		if (child >= count)
			return;
		if (child + 1 < count && compare_names(heap[child + 1], heap[child]) > 0)
			child++;
		if (compare_names(heap[child], kept) <= 0)
			return;
		heap[from] = heap[child];
		heap[child] = kept;
		from = child;
	}
}

static void sort_names(u32 *list, u32 count)
{
	for (u32 i = count / 2; i-- > 0;)
		sift(list, i, count);
	for (u32 i = count; i-- > 1;) {
		u32 last = list[i];

		list[i] = list[0];
		list[0] = last;
		sift(list, 0, i);
	}
}

/* Returns the name that a whiteout file hides, or NULL for other files. */
static const char *hidden_by(const char *name)
{
	for (int i = 0; WHITEOUT[i]; i++)
		if (name[i] != WHITEOUT[i])
			return NULL;
	return name + sizeof(WHITEOUT) - 1;
}

static long read_names(int fd, char mark, int files, u32 *count)
{
	static char buffer[32768] __attribute__((aligned(8)));
	long n;

	while ((n = SYS(getdents64, fd, buffer, sizeof(buffer))) > 0)
		for (long at = 0; at < n;) {
			const struct dirent64 *entry = (const struct dirent64 *)(buffer + at);
			const char *name = entry->name, *hidden = files ? hidden_by(name) : NULL;
			size_t length = 0;
			long err;

			at += entry->reclen;
			/* Names with `.wh.` are marks here, so a hidden name that begins with it is ignored. */
			if (is_dot(name) || (hidden && (!hidden[0] || hidden_by(hidden))))
				continue;
			if (hidden)
				name = hidden;
			while (name[length])
				length++;
			err = names_room(length + 2);
			if (err < 0)
				return err;
			names.at[names.used] = hidden ? NAME_HIDDEN : mark;
			__builtin_memcpy(names.at + names.used + 1, name, length + 1);
			names.used += length + 2;
			(*count)++;
		}
	return n;
}

long names_list(int first, int second, int files, struct name_list *list)
{
	long err = 0;
	u32 *sorted, kept = 0;
	size_t at;

	names.used = (names.used + 3) & ~(size_t)3;
	*list = (struct name_list){ .mark = (u32)names.used };
	if (first >= 0)
		err = read_names(first, NAME_FIRST, files, &list->count);
	if (!err && second >= 0)
		err = read_names(second, NAME_SECOND, 0, &list->count);
	at = (names.used + 3) & ~(size_t)3;
	if (!err)
		err = names_room(at - names.used + 4 * (size_t)list->count);
	if (err < 0) {
		names.used = list->mark;
		return err;
	}
	list->at = (u32)at;
	sorted = places(list);
	for (size_t place = list->mark; kept < list->count;) {
		sorted[kept++] = (u32)place;
		for (place++; names.at[place];)
			place++;
		place++;
	}
	names.used = at + 4 * (size_t)list->count;
	sort_names(sorted, list->count);
	kept = 0;
	for (u32 i = 0; i < list->count; i++)
		if (kept && compare_names(sorted[kept - 1], sorted[i]) == 0)
			names.at[sorted[kept - 1]] |= names.at[sorted[i]];
		else
			sorted[kept++] = sorted[i];
	list->count = kept;
	return 0;
}

const char *names_get(const struct name_list *list, u32 i, int *marks)
{
	u32 place = places(list)[i];

	*marks = names.at[place];
	return name_at(place);
}

void names_drop(const struct name_list *list)
{
	names.used = list->mark;
}
