/* SPDX-License-Identifier: Apache-2.0 */
/* libFuzzer target: passes any bytes to the decoder, nested programs included, and to the reader of records. */
#include "oci/oci.h"
#include "wire/frame.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct oci_record record;
	struct frame frame;
	u8 sink = 0;

	if (oci_record_parse(data, size, &record))
		for (int i = 0; i < OCI_TEXTS; i++)
			for (u32 j = 0; j <= record.text[i].length; j++)
				sink ^= (u8)record.text[i].at[j];
	while (size) {
		long used = frame_decode(data, size, &frame);
		const struct shape *shape;

		if (used <= 0)
			return 0;
		/* Read everything that ops would, so that the sanitizer sees a wrong length. */
		shape = shape_of(frame.opcode);
		for (int i = 0; shape->strings[i]; i++)
			for (u32 j = 0; frame.string[i].at && j <= frame.string[i].length; j++)
				sink ^= (u8)frame.string[i].at[j];
		data += used;
		size -= (size_t)used;
	}
	__asm__ volatile("" : : "r"(sink)); /* otherwise the compiler removes the reads above */
	return 0;
}
