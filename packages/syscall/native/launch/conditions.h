/* SPDX-License-Identifier: Apache-2.0 */
/* Whether what a plan depends on is still as it was when the plan was made. */
#ifndef LAMELLA_CONDITIONS_H
#define LAMELLA_CONDITIONS_H

#include "launch/run-record.h"

/* Returns whether all conditions of a record hold. If not, `failed` is the first one that does not. */
int conditions_hold(const struct record *record, char **envp, struct condition *failed);

#endif
