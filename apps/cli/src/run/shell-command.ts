import { accessSync, constants } from 'node:fs';

/** Characters that are shell syntax. */
const SYNTAX = /[\s;&|<>()$`"'\\*?[\]{}~#!]/;
/** Shells whose syntax differs from sh(1). */
const OTHERS = /(?:^|\/)(?:fish|nu|elvish|xonsh|csh|tcsh|pwsh)$/;

/**
 * Returns the words of a command. A single argument with shell syntax is a line for the user's shell, as
 * with ssh(1), unless it is the path of a program.
 */
export function shellCommand(args: readonly string[]): readonly string[] {
  const [line = '', ...others] = args;
  return others.length || !SYNTAX.test(line) || isProgram(line) ? args : [userShell(), '-c', line];
}

/** Returns the user's shell if its syntax is that of sh(1), otherwise /bin/sh. */
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
