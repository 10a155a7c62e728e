import { spawn, spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { requiresOverlayUppers, requiresProgram, requiresRoot, type ScratchDirectory, scratch } from '@lamella-test/scratch';
import { afterAll, beforeAll, beforeEach, describe, expect, type TestContext, test } from 'vitest';
import { CLI } from './cli.js';
import { terminal } from './terminal.js';

let at: ScratchDirectory;
let tried: string;

beforeAll(() => {
  at = scratch();
  tried = `${process.execPath} ${CLI} try --root ${at.join('store')} -n `;
});
beforeEach((context) => {
  requiresRoot(context);
  requiresOverlayUppers(context);
});
afterAll(() => at[Symbol.asyncDispose]());

/** Keys that are typed into a shell, one after the other, and what each is an answer to. */
type Keys = readonly (readonly [when: RegExp, ...keys: string[]])[];

/** What is typed at an interactive shell while a command runs there: `COMMAND` is it, natively and as it is tried. */
const TYPED: Readonly<Record<string, { readonly line: string; readonly keys: Keys; readonly shows: RegExp }>> = {
  'Ctrl-C ends it': {
    line: "COMMANDsh -c 'echo up; exec sleep 100'; echo left $?",
    keys: [
      [/^up/m, 'C-c'],
      [/\$ $/, 'echo "<$?>"', 'Enter'],
    ],
    shows: /<130>/,
  },
  'Ctrl-C ends the loop that it is in': {
    line: "for i in 1 2; do COMMANDsh -c 'echo up; exec sleep 100'; echo left; done",
    keys: [
      [/^up/m, 'C-c'],
      [/\$ $/, 'echo "<$?>"', 'Enter'],
    ],
    shows: /<130>/,
  },
  'Ctrl-\\ ends it': {
    line: "COMMANDsh -c 'ulimit -c 0; echo up; exec sleep 100'",
    keys: [
      [/^up/m, 'C-\\'],
      [/\$ $/, 'echo "<$?>"', 'Enter'],
    ],
    shows: /<131>/,
  },
  'Ctrl-Z stops it, and fg lets it go on': {
    line: 'COMMANDsh -c \'echo up; read line; echo "got $line"; exit 4\'',
    keys: [
      [/^up/m, 'C-z'],
      [/Stopped/, 'echo "($?)"', 'Enter'],
      [/\(148\)/, 'fg', 'Enter'],
      [/\$ fg\n[\s\S]*read line/, 'typed', 'Enter'],
      [/got typed/, 'echo "<$?>"', 'Enter'],
    ],
    shows: /<4>/,
  },
  'bg lets it go on': {
    line: "COMMANDsh -c 'echo up; sleep 4; exit 6'",
    keys: [
      [/^up/m, 'C-z'],
      [/Stopped/, 'bg', 'Enter'],
      [/&/, 'wait %1; echo "<$?>"', 'Enter'],
    ],
    shows: /<6>/,
  },
  'fg gives the keyboard to what was begun in the background': {
    line: 'COMMANDsh -c \'echo up; read line; echo "got $line"; exit 4\' &',
    keys: [
      [/^(\$ )?up$/m, 'fg', 'Enter'],
      [/fg\n[\s\S]*read line/, 'typed', 'Enter'],
      [/got typed/, 'echo "<$?>"', 'Enter'],
    ],
    shows: /<4>/,
  },
  'fg gives it to what bg let go on': {
    line: 'COMMANDsh -c \'echo up; sleep 4; read line; echo "got $line"; exit 4\'',
    keys: [
      [/^up/m, 'C-z'],
      [/Stopped/, 'bg', 'Enter'],
      [/&/, 'fg', 'Enter'],
      [/\$ fg\n[\s\S]*read line/, 'typed', 'Enter'],
      [/got typed/, 'echo "<$?>"', 'Enter'],
    ],
    shows: /<4>/,
  },
  'Ctrl-Z stops a pipeline': {
    line: "COMMANDsh -c 'echo up; sleep 100' | cat",
    keys: [
      [/^up/m, 'C-z'],
      [/Stopped/, 'fg', 'Enter'],
      [/\$ fg\n[\s\S]*sleep/, 'C-c'],
      [/\^C[\s\S]*\$ $/, 'echo "<$?>"', 'Enter'],
    ],
    shows: /<130>/,
  },
};

describe.each(Object.entries(TYPED))('at a terminal: %s', (_, { line, keys, shows }) => {
  test.concurrent.each(['natively', 'tried'])('%s', { timeout: 60_000 }, async (how) => {
    const shell = terminal('tmux', "env PS1='$ ' bash --norc -i");
    try {
      await shell.until(/\$ $/);
      shell.type(line.replaceAll('COMMAND', how === 'tried' ? tried : ''));
      for (const [when, ...typed] of keys) {
        await shell.until(when);
        shell.press(...typed);
      }
      await shell.until(shows);
    } finally {
      shell.close();
    }
  });
});

test('Ctrl-C at the question keeps what was changed, says so, and ends', { timeout: 60_000 }, async () => {
  await using own = scratch();
  const shell = terminal('tmux', `sh -c 'cd ${own.path}; PS1="$ " exec bash --norc -i'`);
  try {
    await shell.until(/\$ $/);
    shell.press(`${tried.replace(/ -n $/, '')} touch new`, 'Enter');
    await shell.until(/Apply the changes\?/);
    shell.press('C-c');
    await shell.until(/Kept. Review them again: lamella review/);
    shell.press('echo "<$?>"', 'Enter');
    await shell.until(/<130>/);
  } finally {
    shell.close();
  }
});

/** All of them take a while. */
const SIGNALS = process.env.LAMELLA_LONG === undefined ? ['INT', 'TERM', 'USR1'] : ['HUP', 'INT', 'TERM', 'QUIT', 'USR1', 'USR2', 'ALRM', 'VTALRM', 'IO'];

/** Scripts of a shell without a terminal, in which a signal comes another way. What they print is the same natively and tried. */
const SCRIPTS: Readonly<Record<string, string>> = {
  'timeout ends it': 'timeout 2 COMMANDsleep 100; echo $?',
  'timeout kills what ignores it': "timeout -k 1 4 COMMANDsh -c 'trap : TERM; while :; do sleep 0.1; done'; echo $?",
  'its own signal': "COMMANDsh -c 'kill -9 $$'; echo $?; COMMANDsh -c 'kill -TERM $$'; echo $?",
  'its status': 'COMMANDsh -c "exit 7"; echo $?; COMMANDfalse; echo $?',
  ...Object.fromEntries(
    SIGNALS.map((signal) => [
      `a kill by SIG${signal}`,
      // A background process of a script ignores SIGINT and SIGQUIT (POSIX), and so would what it executes.
      `ulimit -c 0; set -m; mkfifo f; COMMANDsh -c 'echo up; exec sleep 100' >f & read up <f; kill -${signal} $!; wait $!; echo $?`,
    ]),
  ),
  ...Object.fromEntries(
    SIGNALS.map((signal) => [
      `a handler of SIG${signal}`,
      `set -m; mkfifo f; COMMANDsh -c 'trap "echo caught; exit 9" ${signal}; echo up; while :; do sleep 0.1; done' >f & exec 5<f; read up <&5; kill -${signal} $!; wait $!; echo $?; cat <&5`,
    ]),
  ),
  // A shell may see the stop only after it was taken back: then it waits again.
  'a stop, and going on':
    "set -m; mkfifo f; COMMANDsh -c 'echo up; sleep 1; exit 5' >f & read up <f; kill -TSTP $!; until ps -o stat= $! | grep T; do sleep 0.05; done | cut -c 1; kill -CONT $!; while wait $!; s=$?; [ $s = 148 ]; do :; done; echo $s",
  'a stop that is taken back at once':
    "set -m; mkfifo f; COMMANDsh -c 'echo up; sleep 1; exit 5' >f & read up <f; kill -TSTP $!; kill -CONT $!; until ! kill -0 $! 2>&-; do sleep 0.1; done; wait $!; echo $?",
};

/** Run a script by bash, in a separate directory. */
async function script(context: TestContext, text: string, how: 'natively' | 'tried'): Promise<string> {
  requiresProgram(context, 'bash');
  await using own = scratch();
  const bash = spawn('bash', ['-c', text.replaceAll('COMMAND', how === 'tried' ? tried : '')], { cwd: own.path, stdio: ['ignore', 'pipe', 'ignore'] });
  let told = '';
  bash.stdout.on('data', (data: Buffer) => {
    told += data.toString();
  });
  const closed = new Promise((resolve) => bash.once('close', resolve));
  if ((await Promise.race([closed, sleep(50_000, 'late')])) === 'late') bash.kill('SIGKILL');
  await closed;
  return told;
}

describe('in a script', () => {
  test.concurrent.each(Object.entries(SCRIPTS))('%s', { timeout: 120_000 }, async (_, text) => {
    const context = { task: { name: _ } } as TestContext;
    const [native, ours] = await Promise.all([script(context, text, 'natively'), script(context, text, 'tried')]);
    expect(ours).toBe(native);
    expect(native).not.toBe('');
  });

  test('orphans are reaped, and end with the command', { timeout: 60_000 }, async (context) => {
    const orphans = `COMMANDsh -c '(sleep 0.1 &); (exec sleep 3141592 &); sleep 0.5; ps -eo stat= | grep -c Z; pgrep -fc "^sleep 314159[2]"'; pgrep -fc "^sleep 314159[2]"`;
    expect(await script(context, orphans, 'tried')).toBe('0\n1\n0\n');
  });
});

/** Signals that end a process; those of libc (32, 33) and real-time ones have no names in Node. In the short form some of each kind. */
const DEADLY = process.env.LAMELLA_LONG
  ? Array.from({ length: 64 }, (_, i) => i + 1).filter((signo) => ![17, 18, 19, 20, 21, 22, 23, 28].includes(signo))
  : [9, 15, 32, 33, 34, 35, 64];

test('whatever signal ends a command, a shell sees it end in the same way', { timeout: 120_000 }, () => {
  const ended = (prefix: string): string => {
    // A file, for Node has no name for the signal that a shell itself may end by.
    const script = DEADLY.map((signo) => `${prefix}sh -c 'ulimit -c 0; kill -${signo} $$' 2>"$0"; echo "${signo} $?"; grep -i error "$0"`).join('\n');
    return spawnSync('bash', ['-c', script, at.join('said')], { encoding: 'utf8' }).stdout;
  };
  expect(ended(tried)).toBe(ended(''));
});
