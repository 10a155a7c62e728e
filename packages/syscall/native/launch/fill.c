/* SPDX-License-Identifier: Apache-2.0 */
#include "launch/fill.h"
#include "base/text.h"

/* What is written, where, and how far what follows the holes until now has moved. */
struct output {
	u8 *start;
	size_t length, room;
	int full;
	u32 holes;
	u32 ends[RECORD_HOLES];
	s64 moves[RECORD_HOLES];
};

static void put(struct output *output, const void *bytes, size_t length)
{
	if (output->full || output->room - output->length <= length) {
		output->full = 1;
		return;
	}
	__builtin_memcpy(output->start + output->length, bytes, length);
	output->length += length;
}

static void put_text(struct output *output, const char *text)
{
	size_t length = 0;

	while (text[length])
		length++;
	put(output, text, length);
}

/* Where an offset of the template is in the output. */
static size_t position(const struct output *output, u32 at)
{
	s64 moved = at;

	for (u32 i = 0; i < output->holes && output->ends[i] <= at; i++)
		moved += output->moves[i];
	return (size_t)moved;
}

/* Returns the length of the UTF-8 sequence (RFC 3629), and its character; 0 if there is none. */
static int sequence(const u8 *at, u32 *character)
{
	static const u32 least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	int length = at[0] < 0x80 ? 1 : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : at[0] < 0xf5 ? 4 : 0;
	u32 value = length == 1 ? at[0] : length ? at[0] & (0x7fU >> length) : 0;

	for (int i = 1; i < length; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (at[i] & 0x3fU);
	}
	if (!length || value < least[length] || (value >= 0xd800 && value < 0xe000) || value > 0x10ffff)
		return 0;
	*character = value;
	return length;
}

static const char hex[] = "0123456789abcdef";

/* As JSON.stringify() without the quotes. */
static void put_json(struct output *output, const char *word)
{
	static const char names[] = "btn?fr";
	const u8 *at = (const u8 *)word;

	while (*at) {
		u32 character = 0;
		int length = sequence(at, &character);

		if (!length) {
			output->full = 1;
			return;
		}
		if (character == '"' || character == '\\') {
			char escaped[] = { '\\', (char)character };

			put(output, escaped, sizeof(escaped));
		} else if (character >= 8 && character <= 13 && character != 11) {
			char escaped[] = { '\\', names[character - 8] };

			put(output, escaped, sizeof(escaped));
		} else if (character < 0x20) {
			char escaped[] = { '\\', 'u', '0', '0', hex[character >> 4], hex[character & 15] };

			put(output, escaped, sizeof(escaped));
		} else {
			put(output, at, (size_t)length);
		}
		at += length;
	}
}

static void put_words(struct output *output, const struct filling *filling, const char *between, size_t length, int json)
{
	for (u32 i = 0; i < filling->count; i++) {
		if (i)
			put(output, between, length);
		if (json)
			put_json(output, filling->words[i]);
		else
			put_text(output, filling->words[i]);
	}
}

/* The checksum of a sealed text (src/text/sealed-text.ts), over the units of UTF-16. */
static void put_sum(struct output *output, size_t from)
{
	/* `,"sum":"` stands between the text and its checksum. */
	size_t end = output->length >= 8 ? output->length - 8 : 0;
	u32 hash = 0x811c9dc5U;
	char digits[8];

	while (!output->full && from < end) {
		u32 character = 0;
		int length = sequence(output->start + from, &character);

		if (!length) {
			output->full = 1;
			return;
		}
		if (character >= 0x10000) {
			hash = (hash ^ (0xd800 + ((character - 0x10000) >> 10))) * 0x01000193U;
			character = 0xdc00 + ((character - 0x10000) & 0x3ff);
		}
		hash = (hash ^ character) * 0x01000193U;
		from += (size_t)length;
	}
	hash = (hash ^ '}') * 0x01000193U;
	for (int i = 0; i < 8; i++)
		digits[i] = hex[hash >> (28 - 4 * i) & 15];
	put(output, digits, sizeof(digits));
}

static void put_number(struct output *output, s64 number)
{
	put(output, &number, sizeof(number));
}

static void put_decimal(struct output *output, int number)
{
	char text[16];

	append_number(text, number);
	put_text(output, text);
}

static void put_hole(struct output *output, const struct hole *hole, const struct template *template, const struct filling *filling)
{
	s64 count;

	switch (hole->kind) {
	case HOLE_ID:
		put_text(output, filling->id);
		break;
	case HOLE_NAME:
		put_text(output, filling->name);
		break;
	case HOLE_TIME:
		put_text(output, filling->created);
		break;
	case HOLE_WORDS:
		put_words(output, filling, "", 1, 0); /* a NUL */
		break;
	case HOLE_WORDS_JSON:
		put_words(output, filling, "\",\"", 3, 1);
		break;
	case HOLE_WORDS_TITLE:
		put_words(output, filling, " ", 1, 0);
		break;
	case HOLE_FIRST:
		put_text(output, filling->count ? filling->words[0] : "");
		break;
	case HOLE_COUNT:
		__builtin_memcpy(&count, template->bytes.at + hole->at, sizeof(count));
		put_number(output, count + (s64)filling->count - 1);
		break;
	case HOLE_ROWS:
		put_number(output, filling->rows);
		break;
	case HOLE_COLUMNS:
		put_number(output, filling->columns);
		break;
	case HOLE_ROWS_TEXT:
		put_decimal(output, filling->rows);
		break;
	case HOLE_COLUMNS_TEXT:
		put_decimal(output, filling->columns);
		break;
	case HOLE_SECONDS_TEXT:
		put_decimal(output, (int)filling->seconds);
		break;
	case HOLE_NANOSECONDS_TEXT:
		put_decimal(output, (int)filling->nanoseconds);
		break;
	case HOLE_SUM:
		put_sum(output, position(output, hole->from));
		break;
	default:
		output->full = 1;
	}
}

long fill(const struct template *template, const struct filling *filling, u8 *into, size_t room)
{
	static struct output output;
	u32 read = 0;

	output.start = into;
	output.room = room;
	output.length = output.holes = 0;
	output.full = 0;
	for (u32 i = 0; i < template->hole_count; i++) {
		const struct hole *hole = &template->holes[i];
		size_t before;

		put(&output, template->bytes.at + read, hole->at - read);
		before = output.length;
		put_hole(&output, hole, template, filling);
		output.ends[i] = hole->at + hole->length;
		output.moves[i] = (s64)(output.length - before) - (s64)hole->length;
		output.holes = i + 1;
		read = hole->at + hole->length;
	}
	put(&output, template->bytes.at + read, template->bytes.length - read);
	if (output.full)
		return -1;
	for (u32 i = 0; i < template->length_count; i++) {
		const struct length_field *field = &template->lengths[i];
		u32 length = (u32)(position(&output, field->to) - position(&output, field->from));
		size_t at = position(&output, field->at);

		if (at > output.length || output.length - at < sizeof(length))
			return -1;
		__builtin_memcpy(into + at, &length, sizeof(length));
	}
	into[output.length] = 0;
	return (long)output.length;
}
