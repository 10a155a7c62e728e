import { accessSync, constants } from 'node:fs';
import path from 'node:path';
import type { TestContext } from 'vitest';

/** Skip a test, and say why where everybody sees it. */
export function skip(context: TestContext, reason: string): never {
  process.stderr.write(`skipped: ${context.task.name}: ${reason}\n`);
  return context.skip(reason);
}

/** Go on only as root. */
export function requiresRoot(context: TestContext): void {
  if (process.geteuid?.() !== 0) skip(context, 'it needs root');
}

/** Go on only if a program is installed; its absolute path. */
export function requiresProgram(context: TestContext, name: string): string {
  return findProgram(name) ?? skip(context, `${name} is not installed`);
}

/** The absolute path of a program in the PATH. */
export function findProgram(name: string): string | undefined {
  for (const directory of (process.env.PATH ?? '').split(':')) {
    const file = path.join(directory, name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch (error) {
      if (!['ENOENT', 'EACCES', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
  }
  return undefined;
}
