/* SPDX-License-Identifier: Apache-2.0 */
/* The stream of frames on descriptor 3, run as it arrives. */
#ifndef LAMELLA_STREAM_H
#define LAMELLA_STREAM_H

#include "wire/frame.h"

/* Runs the stream to its end, or only checks its frames. Returns the status to exit with. */
int stream_run(int check_only);

/* Reports a malformed stream like a failed op. Returns the status to exit with. */
int stream_refuse(long err);

/* Returns how many bytes were read beyond `end`, a place in the stream, and sets `*rest` to them. */
size_t stream_beyond(const char *end, const u8 **rest);

#endif
