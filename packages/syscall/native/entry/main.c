/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lamella-init: reads frames from descriptor 3 and runs them, one system call each, as they arrive; replies on
 * descriptor 4. It has no policy: the program has, and TypeScript makes the program.
 */
#include "base/slots.h"
#include "base/text.h"
#include "front/front.h"
#include "launch/launch.h"
#include "ops/program.h"
#include "ops/stream.h"
#include "spawner/spawner.h"
#include "wire/reply.h"
#include <linux/fcntl.h>
#include <linux/memfd.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif
#define SEALS 0x000f /* F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE */
#define CLOSE_RANGE_CLOEXEC_FLAG 4
#define STATUS_FAILED 125

/*
 * Executes a sealed copy in memory, so that no container can reach the file on the disk of the host through
 * /proc/PID/exe (CVE-2019-5736). Returns only if that fails.
 */
long reexec_sealed(char **argv, char **envp)
{
	static char copy[65536];
	long exe, memfd, n;

	memfd = SYS(memfd_create, "lamella-init", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
	if (memfd == -EINVAL) /* before 6.3 the kernel lacks MFD_EXEC, and memfds are executable */
		memfd = SYS(memfd_create, "lamella-init", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (memfd < 0)
		return memfd;
	exe = SYS(openat, AT_FDCWD, "/proc/self/exe", O_RDONLY | O_CLOEXEC, 0);
	if (exe < 0)
		return exe;
	while ((n = SYS(read, exe, copy, sizeof(copy))) > 0) {
		long written = SYS(write, memfd, copy, n);

		if (written != n)
			return written < 0 ? written : -ENOSPC;
	}
	if (n < 0)
		return n;
	SYS(close, exe);
	n = SYS(fcntl, memfd, F_ADD_SEALS, SEALS);
	if (n < 0)
		return n;
	return SYS(execveat, memfd, "", argv, envp, AT_EMPTY_PATH);
}

int lamella_main(int argc, char **argv, char **envp);
int lamella_main(int argc, char **argv, char **envp)
{
	static char *sealed[] = { "lamella-init", "sealed", NULL, NULL };
	unsigned descriptors = 0;
	int status;

	if (argc >= LAUNCH_WORDS && same_text(argv[1], "launch"))
		return launch(argc, argv, envp);
	if (argc == 6 && same_text(argv[1], "front")) {
		argv[1] = "sealed-front";
		reexec_sealed(argv, envp);
		return front_not_sealed();
	}
	if (argc == 6 && same_text(argv[1], "sealed-front")) {
		status = front(argc, argv, envp);
		if (status != FRONT_INTERPRETER)
			return status;
		argc = 2;
		argv = sealed;
	}
	if (argc == 2 && same_text(argv[1], "spawner")) {
		SYS(prctl, 15 /* PR_SET_NAME */, "lamella-init", 0, 0, 0);
		set_signal_mask(ALL_SIGNALS);
		status = spawner(argv);
		if (status != SPAWNER_INTERPRETER)
			return status;
		argv = sealed;
		descriptors = 1; /* the network namespace that it may have from the spawner */
	}
	if (argc < 2 || argc > 3 || (!same_text(argv[1], "sealed") && !same_text(argv[1], "seal") && !same_text(argv[1], "check"))) {
		static const char usage[] =
			"lamella-init runs programs of system calls for @lamella/syscall; "
			"it is not meant to be started by hand.\n";

		SYS(write, 2, usage, sizeof(usage) - 1);
		return STATUS_FAILED;
	}
	if (same_text(argv[1], "seal")) {
		sealed[2] = argv[2];
		return stream_refuse(reexec_sealed(sealed, envp));
	}
	/* The number of descriptors from 5 on that belong to the program, see `inherited`. */
	for (const char *digit = argc == 3 ? argv[2] : ""; *digit >= '0' && *digit <= '9' && descriptors < 1000; digit++)
		descriptors = descriptors * 10 + (unsigned)(*digit - '0');
	SYS(prctl, 15 /* PR_SET_NAME */, "lamella-init", 0, 0, 0); /* otherwise ps(1) shows the name of the memfd */
	set_signal_mask(ALL_SIGNALS);
	SYS(close_range, 5 + descriptors, ~0U, 0);
	SYS(close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC_FLAG);
	for (int i = 0; i < SLOTS; i++)
		slots[i] = i < 3 ? i : -1;
	status = stream_run(same_text(argv[1], "check"));
	exit_program_run();
	spawned_exit(status);
	return status;
}
