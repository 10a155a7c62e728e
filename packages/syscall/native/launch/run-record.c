/* SPDX-License-Identifier: Apache-2.0 */
#include "launch/run-record.h"

#define MAGIC_LENGTH 8
#define HEAD_LENGTH 16

u64 hash_more(u64 hash, const void *bytes, size_t length)
{
	const u8 *at = bytes;
	u32 low = (u32)hash, high = (u32)(hash >> 32);

	for (size_t i = 0; i < length; i++) {
		low = (low ^ at[i]) * 0x01000193U;
		high = (high ^ at[i]) * 0x9e3779b1U;
	}
	return (u64)high << 32 | low;
}

static u32 number(struct reader *reader)
{
	u32 value;

	if (reader->bad || (size_t)(reader->end - reader->at) < sizeof(value)) {
		reader->bad = 1;
		return 0;
	}
	__builtin_memcpy(&value, reader->at, sizeof(value));
	reader->at += sizeof(value);
	return value;
}

static struct piece string(struct reader *reader)
{
	struct piece text = { "", 0 };
	u32 length = number(reader);

	if (reader->bad || (size_t)(reader->end - reader->at) <= length || reader->at[length]) {
		reader->bad = 1;
		return text;
	}
	text.at = (const char *)reader->at;
	text.length = length;
	reader->at += length + 1;
	return text;
}

/* A number of things, of which there may be `most`. */
static u32 count(struct reader *reader, u32 most)
{
	u32 value = number(reader);

	if (value > most)
		reader->bad = 1;
	return reader->bad ? 0 : value;
}

/* Holes are in order and do not overlap, and lie within the bytes, as do the fields. */
static void template(struct reader *reader, struct template *into)
{
	u32 end = 0;

	into->bytes = string(reader);
	into->hole_count = count(reader, RECORD_HOLES);
	for (u32 i = 0; i < into->hole_count; i++) {
		struct hole *hole = &into->holes[i];

		hole->kind = number(reader);
		hole->at = number(reader);
		hole->length = number(reader);
		hole->from = number(reader);
		if (reader->bad || hole->at < end || hole->at > into->bytes.length || hole->length > into->bytes.length - hole->at ||
		    hole->from > hole->at || !hole->kind || hole->kind > HOLE_NANOSECONDS_TEXT || (hole->kind == HOLE_COUNT && hole->length != 8))
			reader->bad = 1;
		end = hole->at + hole->length;
	}
	into->length_count = count(reader, RECORD_LENGTHS);
	for (u32 i = 0; i < into->length_count; i++) {
		struct length_field *field = &into->lengths[i];

		field->at = number(reader);
		field->from = number(reader);
		field->to = number(reader);
		if (reader->bad || into->bytes.length < 4 || field->at > into->bytes.length - 4 || field->from > field->to ||
		    field->to > into->bytes.length)
			reader->bad = 1;
	}
	if (reader->bad)
		into->hole_count = into->length_count = 0;
}

int record_condition(struct reader *reader, struct condition *condition)
{
	condition->kind = number(reader);
	condition->name = string(reader);
	condition->text = string(reader);
	condition->count = count(reader, RECORD_NUMBERS);
	for (u32 i = 0; i < condition->count; i++) {
		u64 low = number(reader);

		condition->numbers[i] = low | (u64)number(reader) << 32;
	}
	return !reader->bad;
}

static int has_magic(const u8 *bytes)
{
	static const char magic[] = "LMLREC01";

	for (int i = 0; i < MAGIC_LENGTH; i++)
		if (bytes[i] != (u8)magic[i])
			return 0;
	return 1;
}

int record_read(const u8 *bytes, size_t length, struct record *record)
{
	static struct condition skipped;
	struct reader reader = { bytes + HEAD_LENGTH, bytes + length, 0 };
	u64 sum;

	if (length < HEAD_LENGTH || length > RECORD_MAX || !has_magic(bytes))
		return 0;
	__builtin_memcpy(&sum, bytes + MAGIC_LENGTH, sizeof(sum));
	if (hash_more(HASH_BEGIN, bytes + HEAD_LENGTH, length - HEAD_LENGTH) != sum)
		return 0;
	record->flags = number(&reader);
	record->command_words = number(&reader);
	record->package = string(&reader);
	record->word_count = count(&reader, RECORD_WORDS);
	for (u32 i = 0; i < record->word_count; i++)
		record->words[i] = string(&reader);
	record->condition_count = count(&reader, RECORD_CONDITIONS);
	record->conditions = reader;
	for (u32 i = 0; i < record->condition_count && !reader.bad; i++)
		record_condition(&reader, &skipped);
	for (int i = 0; i < 3; i++)
		record->explainer[i] = string(&reader);
	record->maps = string(&reader);
	record->names[0] = string(&reader);
	record->names[1] = string(&reader);
	record->containers = string(&reader);
	template(&reader, &record->program);
	template(&reader, &record->context);
	template(&reader, &record->title);
	template(&reader, &record->left);
	return !reader.bad && reader.at == reader.end;
}
