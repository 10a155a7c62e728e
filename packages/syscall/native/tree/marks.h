/* SPDX-License-Identifier: Apache-2.0 */
/* The names of overlay marks, from marks.def, as WHITEOUT, OPAQUE_FILE, TRUSTED_OPAQUE and USER_OPAQUE. */
#ifndef LAMELLA_MARKS_H
#define LAMELLA_MARKS_H

#define MARK(name, text, doc) static const char name[] __attribute__((unused)) = text;
#define OWN_ATTRIBUTE(prefix)
#define FOREIGN_ATTRIBUTE(prefix)
#define OVERLAY_ATTRIBUTE(prefix)
#include "tree/marks.def"
#undef MARK
#undef OWN_ATTRIBUTE
#undef FOREIGN_ATTRIBUTE
#undef OVERLAY_ATTRIBUTE

#endif
