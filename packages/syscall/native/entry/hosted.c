/* SPDX-License-Identifier: Apache-2.0 */
/* The entry point of the sanitizer build, which uses a libc. */
int lamella_main(int argc, char **argv, char **envp);

int main(int argc, char **argv, char **envp)
{
	return lamella_main(argc, argv, envp);
}
