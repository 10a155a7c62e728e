/* SPDX-License-Identifier: Apache-2.0 */
/* The commands that print: state and list. The record has their output, except for pid and status. */
#include "base/text.h"
#include "oci/oci.h"
#include <linux/mman.h>

#define CONTAINERS_MAX 1024
#define COLUMNS 6
#define GAP 2

struct output {
	char *at, *start;
};

static bool make_output(struct output *output, size_t size)
{
	long memory = SYS(mmap, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	output->at = output->start = (char *)memory;
	return memory >= 0 || memory < -4095;
}

static void put(struct output *output, struct text text)
{
	__builtin_memcpy(output->at, text.at, text.length);
	output->at += text.length;
}

static struct text text_of(const char *text)
{
	return (struct text){ text, (u32)length_of(text) };
}

/* A stopped container has no pid. */
static struct text pid_of(const struct oci_container *container, char *room)
{
	append_number(room, container->status == OCI_STOPPED ? 0 : (int)container->record.pid);
	return text_of(room);
}

static bool print(struct output *output)
{
	return oci_print(output->start, (size_t)(output->at - output->start));
}

/* The texts of a container are in its record, which is at least as long. */
static size_t size_of(const struct oci_record *record)
{
	size_t size = 256;

	for (int i = 0; i < OCI_TEXTS; i++)
		size += record->text[i].length;
	return size;
}

bool oci_state(int root, const struct oci_words *words)
{
	struct oci_container container;
	const struct text *text = container.record.text;
	struct output output;
	char pid[12];

	if (!oci_open(root, words->argument[0], &container) || !make_output(&output, size_of(&container.record)))
		return false;
	put(&output, text[OCI_STATE_PID]);
	put(&output, pid_of(&container, pid));
	put(&output, text[OCI_STATE_STATUS]);
	put(&output, text_of(oci_status_names[container.status]));
	put(&output, text[OCI_STATE_END]);
	return print(&output);
}

struct row {
	char name[OCI_ID_MAX + 1];
	struct oci_container container;
	char pid[12], owner[16];
};

/* Node knows the names of users; of another user the number is shown. */
static bool name_owner(const struct oci_record *record, char *room)
{
	if (!record->owner) {
		append(room, "root");
		return true;
	}
	if (record->owner > 0x7fffffff || record->owner == (u32)SYS(getuid))
		return false;
	append_number(append(room, "#"), (int)record->owner);
	return true;
}

static bool read_names(int root, struct row *rows, int *count)
{
	static char entries[32768] __attribute__((aligned(8)));
	long n;

	*count = 0;
	while ((n = SYS(getdents64, root, entries, sizeof(entries))) > 0)
		for (long at = 0; at < n;) {
			const struct dirent64 *entry = (const struct dirent64 *)(entries + at);
			int place = *count;

			at += entry->reclen;
			if (!entry->type)
				return false;
			if (entry->type != 4 /* DT_DIR */ || !oci_is_id(entry->name))
				continue;
			if (*count == CONTAINERS_MAX)
				return false;
			append(rows[place].name, entry->name);
			++*count;
		}
	return !n;
}

static bool is_before(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return (u8)*a < (u8)*b;
}

/* Sorts indexes by insertion: there are few containers. */
static void sort(const struct row *rows, u16 *order, int count)
{
	for (int i = 0; i < count; i++) {
		int at = i;

		for (; at && is_before(rows[i].name, rows[order[at - 1]].name); at--)
			order[at] = order[at - 1];
		order[at] = (u16)i;
	}
}

static void put_json(struct output *output, const struct row *row)
{
	const struct text *text = row->container.record.text;

	put(output, text[OCI_JSON_PID]);
	put(output, text_of(row->pid));
	put(output, text[OCI_JSON_STATUS]);
	put(output, text_of(oci_status_names[row->container.status]));
	put(output, text[OCI_JSON_OWNER]);
	put(output, text_of(row->owner));
	put(output, text[OCI_JSON_END]);
}

struct cell {
	struct text text;
	/* What the text takes of a line, in units of UTF-16, as TypeScript counts them. */
	u32 width;
};

static struct cell narrow(struct text text)
{
	return (struct cell){ text, text.length };
}

static void cells_of(const struct row *row, struct cell *cells)
{
	const struct oci_record *record = &row->container.record;

	cells[0] = narrow(record->text[OCI_CELL_ID]);
	cells[1] = narrow(text_of(row->pid));
	cells[2] = narrow(text_of(oci_status_names[row->container.status]));
	cells[3] = (struct cell){ record->text[OCI_CELL_BUNDLE], record->bundle_width };
	cells[4] = narrow(record->text[OCI_CELL_CREATED]);
	cells[5] = narrow(text_of(row->owner));
}

static void put_line(struct output *output, const struct cell *cells, const u32 *widths)
{
	for (int i = 0; i < COLUMNS; i++) {
		put(output, cells[i].text);
		if (i + 1 == COLUMNS)
			break;
		for (u32 blanks = widths[i] - cells[i].width + GAP; blanks; blanks--)
			*output->at++ = ' ';
	}
	*output->at++ = '\n';
}

static bool print_table(const struct row *rows, const u16 *order, int count)
{
	struct cell cells[COLUMNS], titles[COLUMNS] = { narrow(text_of("ID")),	   narrow(text_of("PID")),     narrow(text_of("STATUS")),
							narrow(text_of("BUNDLE")), narrow(text_of("CREATED")), narrow(text_of("OWNER")) };
	u32 widths[COLUMNS];
	size_t line = 64, size = 64;
	struct output output;

	for (int i = 0; i < COLUMNS; i++)
		widths[i] = titles[i].width;
	for (int row = 0; row < count; row++) {
		cells_of(&rows[row], cells);
		size += size_of(&rows[row].container.record);
		for (int i = 0; i < COLUMNS; i++)
			if (cells[i].width > widths[i])
				widths[i] = cells[i].width;
	}
	for (int i = 0; i < COLUMNS; i++)
		line += widths[i] + GAP;
	if (!make_output(&output, size + line * ((size_t)count + 1)))
		return false;
	put_line(&output, titles, widths);
	for (int i = 0; i < count; i++) {
		cells_of(&rows[order[i]], cells);
		put_line(&output, cells, widths);
	}
	return print(&output);
}

static bool print_list(const struct row *rows, const u16 *order, int count, bool json)
{
	size_t size = 64;
	struct output output;

	for (int i = 0; i < count; i++)
		size += size_of(&rows[i].container.record);
	if (!make_output(&output, size))
		return false;
	if (json)
		put(&output, text_of("["));
	for (int i = 0; i < count; i++) {
		if (json && i)
			put(&output, text_of(","));
		if (json)
			put_json(&output, &rows[order[i]]);
		else {
			put(&output, rows[order[i]].container.record.text[OCI_CELL_ID]);
			put(&output, text_of("\n"));
		}
	}
	if (json)
		put(&output, text_of("]\n"));
	return print(&output);
}

bool oci_list(int root, const struct oci_words *words)
{
	static u16 order[CONTAINERS_MAX];
	struct output memory;
	struct row *rows;
	int count;

	if (!make_output(&memory, sizeof(*rows) * CONTAINERS_MAX))
		return false;
	rows = (struct row *)memory.start;
	if (!read_names(root, rows, &count))
		return false;
	sort(rows, order, count);
	for (int i = 0; i < count; i++) {
		struct row *row = &rows[i];

		if (!oci_open(root, row->name, &row->container))
			return false;
		oci_close(&row->container);
		pid_of(&row->container, row->pid);
		if (!name_owner(&row->container.record, row->owner))
			return false;
	}
	if (words->quiet || words->json)
		return print_list(rows, order, count, words->json && !words->quiet);
	return print_table(rows, order, count);
}
