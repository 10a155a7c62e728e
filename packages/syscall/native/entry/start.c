/* SPDX-License-Identifier: Apache-2.0 */
/* The entry point and the functions that compilers expect of a libc. */
#include "base/sys.h"

int lamella_main(int argc, char **argv, char **envp);

uintptr_t __stack_chk_guard = 0x595e9fbd94fda766ULL;

__attribute__((noreturn)) void __stack_chk_fail(void)
{
	SYS(kill, SYS(getpid), 6 /* SIGABRT */);
	exit_now(134);
	__builtin_unreachable();
}

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
#if defined(__x86_64__)
	void *t = to;

	__asm__ volatile("rep movsb" : "+D"(t), "+S"(from), "+c"(n) : : "memory");
#else
	u8 *t = to;
	const u8 *f = from;

	while (n--)
		*t++ = *f++;
#endif
	return to;
}

void *memmove(void *to, const void *from, size_t n)
{
	u8 *t = to;
	const u8 *f = from;

	if (t < f)
		return memcpy(to, from, n);
	while (n--)
		t[n] = f[n];
	return to;
}

void *memset(void *to, int value, size_t n)
{
	u8 *t = to;

	while (n--)
		*t++ = (u8)value;
	return to;
}

#define AT_RANDOM_TAG 25

#if __has_attribute(no_stack_protector)
#define NO_STACK_PROTECTOR __attribute__((no_stack_protector))
#else /* gcc before 11 */
#define NO_STACK_PROTECTOR __attribute__((optimize("no-stack-protector")))
#endif

/* Without the stack protector, because this function sets its guard. */
NO_STACK_PROTECTOR __attribute__((used, noreturn)) static void start_c(uintptr_t *stack)
{
	int argc = (int)stack[0];
	char **argv = (char **)(stack + 1);
	char **envp = argv + argc + 1;
	uintptr_t *aux = (uintptr_t *)envp;

	while (*aux++)
		;
	for (; aux[0]; aux += 2)
		if (aux[0] == AT_RANDOM_TAG)
			__stack_chk_guard = *(uintptr_t *)aux[1] & ~(uintptr_t)0xff;
	exit_now(lamella_main(argc, argv, envp));
	__builtin_unreachable();
}

#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall start_c\n");
#elif defined(__aarch64__)
__asm__(".globl _start\n_start:\n\tmov x29, #0\n\tmov x30, #0\n\tmov x0, sp\n\tand sp, x0, #-16\n\tbl start_c\n");
#endif
