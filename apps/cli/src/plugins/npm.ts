import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { CliError } from '../errors/cli-error.js';

/**
 * Runs the npm in the PATH and waits for its end.
 *
 * @throws CliError `NPM_MISSING`, `NPM_FAILED`
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
    throw new CliError({
      code: 'NPM_FAILED',
      message: `npm ${args.join(' ')} failed (${status}): ${wordsOf(said.trim() || told.trim())}`,
      hint: `To try again by hand: cd ${cwd} && npm ${args.join(' ')}`,
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new CliError({
      code: 'NPM_MISSING',
      message: 'cannot install plugins: npm is not in the PATH',
      hint: 'Install npm, or link a local directory: lamella plugins link DIR',
      cause: error,
    });
  }
}

/** Returns the message of npm in one line, without prefixes and the path of its log. */
function wordsOf(said: string): string {
  const lines = said.split('\n').map((line) => line.replace(/^npm (?:error|ERR!) ?/, '').trim());
  return lines.filter((line) => line && !/^(?:A complete log|code |errno |syscall |path )/.test(line)).join('; ');
}
