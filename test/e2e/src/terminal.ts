import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { becomes } from '@lamella-test/scratch';

/** A command in a real terminal, to be typed at and read. */
export interface Terminal {
  /** What is on the screen now, trailing spaces and empty lines left out. */
  screen(): string;
  /** Type a line, and enter. */
  type(line: string): void;
  /** Press keys by tmux's names: `C-c`, `Enter`, … */
  press(...keys: string[]): void;
  resize(columns: number, rows: number): void;
  /** Wait until the screen shows something, ten seconds at most. */
  until(pattern: RegExp): Promise<string>;
  close(): void;
}

/** Start a command in a new tmux. When it ends, the screen shows `status N` and the terminal's settings. */
export function terminal(tmux: string, command: string): Terminal {
  // The socket has a path, because otherwise tmux would make a directory for each user in /tmp, and leave it there.
  const at = mkdtempSync(path.join(tmpdir(), 'lamella-test-'));
  // Whose shell lets nobody in may run tests all the same.
  const env = { ...process.env, SHELL: '/bin/bash' };
  const run = (...args: string[]): string => execFileSync(tmux, ['-S', path.join(at, 'tmux'), '-f', '/dev/null', ...args], { encoding: 'utf8', env });
  run(
    'new-session',
    '-d',
    '-x',
    '100',
    '-y',
    '30',
    `${command}; echo "status $?"; stty -a | grep -oE -e '-?(echo|icanon|isig)( |$)' | tr -d '\\n'; sleep 1000`,
  );
  let closed = false;
  // A space at the end of a prompt counts; what was never written does not.
  const screen = (): string => run('capture-pane', '-p', '-J').replace(/\n+$/, '');
  return {
    screen,
    type: (line) => void run('send-keys', line, 'Enter'),
    press: (...keys) => void run('send-keys', ...keys),
    resize: (columns, rows) => void run('resize-window', '-x', String(columns), '-y', String(rows)),
    async until(pattern) {
      let shown = '';
      const isShown = (): boolean => {
        shown = screen();
        return pattern.test(shown) || pattern.test(`${shown}\n`);
      };
      if (await becomes(isShown)) return shown;
      throw new Error(`the terminal never showed ${pattern}; it shows:\n${shown}`);
    },
    close() {
      if (closed) return;
      closed = true;
      run('kill-server');
      rmSync(at, { recursive: true, force: true });
    },
  };
}
