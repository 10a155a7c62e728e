/* SPDX-License-Identifier: Apache-2.0 */
/* The record that `create` writes. Its texts are used as they are; nothing in it is a path that is written to, except cgroups. */
#include "oci/oci.h"

/* Raised with every change of the record, and of what the commands print or do. launch-record.ts has the same number. */
#define VERSION 1
#define HEADER 108
#define CHECKSUM 104

static const char magic[8] = "LAMELOCI";

static u32 u32_at(const u8 *at)
{
	u32 value;

	__builtin_memcpy(&value, at, sizeof(value));
	return value;
}

static u64 u64_at(const u8 *at)
{
	u64 value;

	__builtin_memcpy(&value, at, sizeof(value));
	return value;
}

/* FNV-1a of 32 bits, begun with `hash`. */
static u32 hash_bytes(u32 hash, const u8 *at, const u8 *end)
{
	for (; at < end; at++)
		hash = (hash ^ *at) * 16777619U;
	return hash;
}

/* The checksum is of all bytes but itself. It finds damage; the permissions of the file keep others out. */
static bool is_whole(const u8 *data, const u8 *end)
{
	return u32_at(data + CHECKSUM) == hash_bytes(hash_bytes(2166136261U, data, data + CHECKSUM), data + HEADER, end);
}

static struct file_mark mark_at(const u8 *at)
{
	return (struct file_mark){ u64_at(at), u64_at(at + 8), u64_at(at + 16), u64_at(at + 24) };
}

bool oci_next_text(const u8 **at, const u8 *end, struct text *text)
{
	size_t left = (size_t)(end - *at);
	u32 length;

	if (left < sizeof(length) + 1)
		return false;
	length = u32_at(*at);
	if (length > left - sizeof(length) - 1)
		return false;
	text->at = (const char *)*at + sizeof(length);
	text->length = length;
	*at += sizeof(length) + length + 1;
	if (text->at[length])
		return false;
	for (u32 i = 0; i < length; i++)
		if (!text->at[i])
			return false;
	return true;
}

bool oci_record_parse(const u8 *data, size_t size, struct oci_record *record)
{
	const u8 *at = data + HEADER, *end = data + size;
	struct text cgroup;

	if (size < HEADER)
		return false;
	for (size_t i = 0; i < sizeof(magic); i++)
		if (data[i] != (u8)magic[i])
			return false;
	if (u32_at(data + 8) != VERSION || u32_at(data + 12) != size)
		return false;
	record->flags = u32_at(data + 16);
	record->owner = u32_at(data + 20);
	record->pid = u32_at(data + 24);
	record->bundle_width = u32_at(data + 28);
	record->start_time = u64_at(data + 32);
	record->state = mark_at(data + 40);
	record->config = mark_at(data + 72);
	if (!record->pid || record->pid > 0x7fffffff)
		return false;
	for (int i = 0; i < OCI_TEXTS; i++)
		if (!oci_next_text(&at, end, &record->text[i]))
			return false;
	record->cgroups = at;
	record->end = end;
	while (at < end)
		if (!oci_next_text(&at, end, &cgroup) || cgroup.at[0] != '/')
			return false;
	if (!is_whole(data, end))
		return false;
	return record->text[OCI_CELL_ID].length && record->text[OCI_CELL_ID].length <= OCI_ID_MAX && record->bundle_width <= record->text[OCI_CELL_BUNDLE].length;
}
