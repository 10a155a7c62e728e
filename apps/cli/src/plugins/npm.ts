import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { LamellaError } from '@lamella/syscall';

/**
 * Runs the npm of the PATH to its end.
 *
 * @throws LamellaError `NPM_MISSING`, `NPM_FAILED`
 */
export async function npm(args: readonly string[], cwd: string): Promise<void> {
  const child = spawn('npm', [...args, '--no-audit', '--no-fund', '--loglevel=error'], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise<number | string>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status, signal) => resolve(status ?? signal ?? 'nothing'));
  });
  try {
    const [status, said, told] = await Promise.all([ended, text(child.stderr), text(child.stdout)]);
    if (status === 0) return;
    throw new LamellaError({
      code: 'NPM_FAILED',
      message: `npm ${args.join(' ')} failed (${status}): ${wordsOf(said.trim() || told.trim())}`,
      hint: `It ran in ${cwd}.`,
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new LamellaError({
      code: 'NPM_MISSING',
      message: 'there is no npm in the PATH, which plugins are installed by',
      hint: 'Install it with Node, or use a checkout: lamella plugins link DIR.',
      cause: error,
    });
  }
}

/** What npm said, in one line: without the name that it begins each of its lines with, and where its log is. */
function wordsOf(said: string): string {
  const lines = said.split('\n').map((line) => line.replace(/^npm (?:error|ERR!) ?/, '').trim());
  return lines.filter((line) => line && !/^(?:A complete log|code |errno |syscall |path )/.test(line)).join('; ');
}
