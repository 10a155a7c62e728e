import { statSync } from 'node:fs';
import path from 'node:path';
import { isatty } from 'node:tty';
import { type Container, Containers, defaultRoot, type StoredContainer } from '@lamella/engine';
import { shellWord } from '@lamella/syscall';
import { Command } from '@oclif/core/command';
import { boolean, option, string } from '@oclif/core/flags';
import { requiredArgument } from '../command-line/arguments.js';
import { parseCommand } from '../command-line/parse-command.js';
import { UsageError } from '../errors/usage-error.js';
import { exitStatusOf, reportFailure } from '../output/exit-status.js';
import { stderr, stdout } from '../output/out.js';
import type { Shown } from '../output/printable.js';
import { reportError } from '../output/report-error.js';
import { applySelected, reviewAndApply } from '../review/apply-decision.js';
import { listChanges } from '../review/ask-decision.js';
import { shellCommand, userShell } from '../run/shell-command.js';
import { windowSize } from '../terminal/forward-signals.js';
import { endBySignal, isForeground, type JobSignals, jobSignals } from '../terminal/job-signals.js';

interface TryFlags {
  readonly yes?: boolean;
  readonly no?: boolean;
  readonly ignore?: readonly string[];
  readonly offline?: boolean;
  readonly network?: 'host' | 'none';
  readonly directory?: string;
  readonly hide?: readonly string[];
  readonly root?: string;
  readonly debug?: boolean;
}

export class Try extends Command {
  static override summary = 'Run a command on this machine itself, and decide afterwards about what it changed.';
  static override description = `The command runs as you, here, with your environment, and sees this machine's files; what it writes goes to a
layer of its own. Afterwards the changes are shown, and nothing of them is done until you say so. Its
processes end with it, and it sees no others. The exit status is the command's own. A single argument that is more
than a name is a line for your shell; without any your shell is started on a terminal.

Without a terminal the changes are kept, and the id that lamella changes, apply and discard take is
printed on stderr.`;
  static override usage = 'try [FLAGS] [--] [COMMAND [ARG…]]';
  static override examples = [
    '<%= config.bin %> try npm install left-pad',
    "<%= config.bin %> try 'make && make install'",
    { description: 'Step by step, in one place:', command: "mkdir box; <%= config.bin %> try -D box make; <%= config.bin %> try -D box 'make install'" },
    { description: 'Without network, and without your keys:', command: '<%= config.bin %> try -x --hide ~/.ssh -- ./install.sh' },
    { description: 'In a script:', command: 'id=$(<%= config.bin %> try -n make 2>&1 >/dev/null | tail -n 1)' },
  ];
  static override strict = false;
  static override flags = {
    yes: boolean({ char: 'y', description: 'apply the changes without a question', exclusive: ['no'] }),
    no: boolean({ char: 'n', description: 'ask nothing, keep the changes and print the id on stderr' }),
    ignore: string({
      char: 'i',
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'PATTERN',
      description: 'leave out changes whose path this regular expression matches',
    }),
    offline: boolean({ char: 'x', description: 'without network, as --network none' }),
    network: option({ options: ['host', 'none'] as const, description: "the host's (default), or only loopback" })(),
    directory: string({
      char: 'D',
      helpValue: 'DIR',
      description: 'keep the changes in a store in this directory, as with -n, and go on with those that are there',
    }),
    hide: string({ multiple: true, multipleNonGreedy: true, helpValue: 'PATH', description: 'something that it is not to read: it finds nothing there' }),
    root: string({ helpValue: 'DIR', description: 'the store (default: $LAMELLA_ROOT, /var/lib/lamella, ~/.local/share/lamella)' }),
    debug: boolean({ description: 'print where an error came from' }),
  };
  static override args = { command: requiredArgument('the command and its arguments') };

  /** Not by oclif, which would complain of that where NODE_ENV is that of a developer. */
  override parsed = true;

  async run(): Promise<void> {
    const debug = this.argv.includes('--debug');
    try {
      const { status, signal } = await tryMain(this.argv);
      process.exitCode = status;
      if (signal) endBySignal(signal);
    } catch (error) {
      process.exitCode = reportFailure(error, { debug });
    }
  }
}

/** How a command ended, as a shell tells it. */
interface Ending {
  readonly status: number;
  readonly signal: NodeJS.Signals | undefined;
}

async function tryMain(argv: readonly string[]): Promise<Ending> {
  const hint = "lamella try [FLAGS] [--] COMMAND [ARG…]. See 'lamella try --help'.";
  const { flags: parsed, words: rest } = await parseCommand(argv, { command: 'try', flags: Try.flags, leading: true });
  const flags: TryFlags = parsed;
  const size = process.stdin.isTTY && stdout.isTerminal ? (windowSize() ?? { rows: 24, columns: 80 }) : undefined;
  if (!rest.length && !size) throw new UsageError('no command was given', hint);
  const cwd = here();
  const ignored = (flags.ignore ?? []).map(expression);
  const directory = flags.directory === undefined ? undefined : existing(flags.directory);
  const containers = new Containers(path.resolve(directory ?? flags.root ?? defaultRoot()));
  const earlier = directory === undefined ? undefined : await triedIn(containers);
  const hide = (flags.hide ?? []).map((each) => path.resolve(each));
  const spec = {
    args: rest.length ? shellCommand(rest) : [userShell()],
    network: flags.offline ? 'none' : (flags.network ?? 'host'),
    // In the background the terminal is the shell's for now.
    ...(size ? { terminal: size, input: { forward: true, raw: true, later: !isForeground() } } : {}),
  } as const;
  using signals = jobSignals(size !== undefined);
  const options = {
    onStopped: signals.stopped,
    stdio: ['inherit', 'inherit', 'inherit'],
    forceKillAfterDelay: false,
    onNote(sentence: string, certain: boolean): void {
      if (certain || isatty(2)) stderr.line(`lamella: ${sentence}`);
    },
  } as const;
  if (earlier && hide.length)
    throw new UsageError(
      `what is hidden was decided when the changes in ${directory} began`,
      'Give --hide with the first command only, or take another directory.',
    );
  const begin = (): Promise<Container> =>
    earlier
      ? earlier.run({ ...spec, init: true, job: true, cwd, env: process.env }, options)
      : containers.try({ ...spec, cwd, hide, umask: process.umask() }, options);
  const { id, ...ending } = await ended(begin, signals);
  try {
    await settle(await containers.get(id), flags, ignored, size !== undefined);
  } catch (error) {
    // Whatever it was, the changes are there.
    stderr.line(`lamella: the changes are kept: lamella review ${id}, lamella discard ${id}`);
    throw error;
  }
  return ending;
}

/** Show what was changed, and do with it what was asked for, or is answered. */
async function settle(container: StoredContainer, flags: TryFlags, ignored: readonly RegExp[], terminal: boolean): Promise<void> {
  const changes = (await Array.fromAsync(container.changes())).filter((change) => !ignored.some((pattern) => pattern.test(change.path)));
  const say = (line: Shown): void => stderr.line(line);
  if (!changes.length) {
    await container.remove();
    if (terminal) say('Nothing was changed.');
    return;
  }
  const keep = flags.no || flags.directory !== undefined;
  if (flags.yes && !keep) await applySelected(container, changes, new Set(changes), container.id, say);
  else if (keep || !terminal) {
    if (!flags.no) for (const line of listChanges(changes)) say(line);
    say(container.id);
  } else await reviewAndApply(container, changes, container.id, { input: process.stdin, output: stderr });
}

async function ended(begin: () => Promise<Container>, signals: JobSignals): Promise<Ending & { readonly id: string }> {
  const running = await begin();
  signals.lead(running);
  const result = await running.result;
  for (const failure of result.releaseFailures) reportError(failure);
  // From here on signals are this process's own.
  signals[Symbol.dispose]();
  return { id: running.id, status: exitStatusOf(result), signal: result.signal };
}

/** A directory for -D: one that is not there was meant to be another. */
function existing(directory: string): string {
  const hint = `-D takes one that is there: mkdir ${shellWord(directory)}`;
  try {
    if (!statSync(directory).isDirectory()) throw new UsageError(`${directory} is not a directory`, hint);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (error instanceof UsageError || code === undefined) throw error;
    throw new UsageError(
      code === 'ENOENT' ? `${directory} is not a directory` : `${directory} cannot be used for the changes: ${code}`,
      code === 'ENOENT' ? hint : 'Take a directory that you may write to.',
    );
  }
  return directory;
}

/** The directory that this process is in. */
function here(): string {
  try {
    return process.cwd();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new UsageError('the directory that you are in has been removed', 'Go to another: cd ~');
  }
}

/** What was tried last in a store of its own. */
async function triedIn(containers: Containers): Promise<StoredContainer | undefined> {
  const last = (await containers.list()).find(({ config }) => config.spec.host);
  return last && containers.get(last.id);
}

function expression(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch (error) {
    throw new UsageError(`'${text}' is no regular expression: ${(error as Error).message}`, "Write -i node_modules, or -i '\\.log$'.");
  }
}
