import { accessSync, constants } from 'node:fs';

/** What a shell would not take as a part of a name. */
const SYNTAX = /[\s;&|<>()$`"'\\*?[\]{}~#!]/;
/** Shells whose language is another than sh(1)'s: what a script says is not for them. */
const OTHERS = /(?:^|\/)(?:fish|nu|elvish|xonsh|csh|tcsh|pwsh)$/;

/**
 * The words of a command. A single one with more in it than a name is a line for the user's shell, as
 * `ssh` and `try` of the shell have it, unless there is a program of that name.
 */
export function shellCommand(args: readonly string[]): readonly string[] {
  const [line = '', ...others] = args;
  return others.length || !SYNTAX.test(line) || isProgram(line) ? args : [userShell(), '-c', line];
}

/** The user's own, where it understands what all others do. */
export function userShell(): string {
  const { SHELL = '' } = process.env;
  return SHELL.startsWith('/') && !OTHERS.test(SHELL) && isProgram(SHELL) ? SHELL : '/bin/sh';
}

function isProgram(file: string): boolean {
  if (!file.includes('/')) return false;
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch (error) {
    if (['ENOENT', 'EACCES', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
}
