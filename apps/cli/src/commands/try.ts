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
  static override summary = 'Run a command on this machine, then review its changes';
  static override description =
    `The command runs as you, with your environment and this machine's files, but its changes go to a separate layer. Afterwards the changes are listed, and you decide whether to apply them. The command does not see other processes, and its processes end with it. The exit status is that of the command.

A single argument with spaces or shell syntax is run by your shell. Without a command your shell is started. Without a terminal the changes are kept, and the container ID for lamella changes, apply and discard is printed on stderr.`;
  static override usage = 'try [OPTIONS] [--] [COMMAND [ARG…]]';
  static override examples = [
    '<%= config.bin %> try npm install left-pad',
    "<%= config.bin %> try 'make && make install'",
    {
      description: 'Run several commands on the same changes:',
      command: "mkdir box; <%= config.bin %> try -D box make; <%= config.bin %> try -D box 'make install'",
    },
    { description: 'Disable the network, and hide your SSH keys:', command: '<%= config.bin %> try -x --hide ~/.ssh -- ./install.sh' },
    { description: 'Use it in a script:', command: 'id=$(<%= config.bin %> try -n make 2>&1 >/dev/null | tail -n 1)' },
  ];
  static override strict = false;
  static override flags = {
    yes: boolean({ char: 'y', description: 'Apply the changes without asking', exclusive: ['no'] }),
    no: boolean({ char: 'n', description: 'Keep the changes without asking, and print the container ID on stderr' }),
    ignore: string({
      char: 'i',
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'PATTERN',
      description: 'Ignore changes whose path matches this regular expression',
    }),
    offline: boolean({ char: 'x', description: 'Disable the network, same as --network none' }),
    network: option({ options: ['host', 'none'] as const, description: 'Network of the command (default: host)' })(),
    directory: string({
      char: 'D',
      helpValue: 'DIR',
      description: 'Keep the changes in this directory, and continue with those that it has',
    }),
    hide: string({ multiple: true, multipleNonGreedy: true, helpValue: 'PATH', description: 'Hide a file or directory from the command' }),
    root: string({ helpValue: 'DIR', description: 'Directory of the store (default: $LAMELLA_ROOT, /var/lib/lamella or ~/.local/share/lamella)' }),
    debug: boolean({ description: 'Print the stack trace of an error' }),
  };
  static override args = { command: requiredArgument('Command and its arguments') };

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

/** The exit status of a command, and the signal that ended it. */
interface Ending {
  readonly status: number;
  readonly signal: NodeJS.Signals | undefined;
}

async function tryMain(argv: readonly string[]): Promise<Ending> {
  const hint = 'See lamella try --help.';
  const { flags: parsed, words: rest } = await parseCommand(argv, { command: 'try', flags: Try.flags, leading: true });
  const flags: TryFlags = parsed;
  const size = process.stdin.isTTY && stdout.isTerminal ? (windowSize() ?? { rows: 24, columns: 80 }) : undefined;
  if (!rest.length && !size) throw new UsageError('no command given, and STDIN is not a terminal', hint);
  const cwd = here();
  const ignored = (flags.ignore ?? []).map(expression);
  const directory = flags.directory === undefined ? undefined : existing(flags.directory);
  const containers = new Containers(path.resolve(directory ?? flags.root ?? defaultRoot()));
  const earlier = directory === undefined ? undefined : await triedIn(containers);
  const hide = (flags.hide ?? []).map((each) => path.resolve(each));
  const spec = {
    args: rest.length ? shellCommand(rest) : [userShell()],
    network: flags.offline ? 'none' : (flags.network ?? 'host'),
    // In the background the terminal still belongs to the shell.
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
      `--hide cannot be used with the existing changes in ${directory}`,
      'Use --hide with the first command only, or choose another directory.',
    );
  const begin = (): Promise<Container> =>
    earlier
      ? earlier.run({ ...spec, init: true, job: true, cwd, env: process.env }, options)
      : containers.try({ ...spec, cwd, hide, umask: process.umask() }, options);
  const { id, ...ending } = await ended(begin, signals);
  try {
    await settle(await containers.get(id), flags, ignored, size !== undefined);
  } catch (error) {
    // The changes are kept after any error.
    stderr.line(`lamella: the changes are kept. Review them: lamella review ${id}. Discard them: lamella discard ${id}`);
    throw error;
  }
  return ending;
}

/** Applies, keeps or reviews the changes, as the flags or the answers say. */
async function settle(container: StoredContainer, flags: TryFlags, ignored: readonly RegExp[], terminal: boolean): Promise<void> {
  const changes = (await Array.fromAsync(container.changes())).filter((change) => !ignored.some((pattern) => pattern.test(change.path)));
  const say = (line: Shown): void => stderr.line(line);
  if (!changes.length) {
    await container.remove();
    if (terminal) say('No changes.');
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
  // From here on signals are for this process.
  signals[Symbol.dispose]();
  return { id: running.id, status: exitStatusOf(result), signal: result.signal };
}

/** Returns the directory of -D, which must exist: a missing one is likely a typing error. */
function existing(directory: string): string {
  const hint = `Create it first: mkdir ${shellWord(directory)}`;
  try {
    if (!statSync(directory).isDirectory()) throw new UsageError(`${directory} is not a directory`, hint);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (error instanceof UsageError || code === undefined) throw error;
    throw new UsageError(
      code === 'ENOENT' ? `${directory} is not a directory` : `cannot use ${directory} for the changes: ${code}`,
      code === 'ENOENT' ? hint : 'Choose a writable directory: -D DIR',
    );
  }
  return directory;
}

/** Returns the working directory. */
function here(): string {
  try {
    return process.cwd();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new UsageError('the working directory was removed', 'Change to another directory: cd ~');
  }
}

/** Returns the container of the last try in a store. */
async function triedIn(containers: Containers): Promise<StoredContainer | undefined> {
  const last = (await containers.list()).find(({ config }) => config.spec.host);
  return last && containers.get(last.id);
}

function expression(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch (error) {
    throw new UsageError(`invalid regular expression '${text}': ${(error as Error).message}`, "Use an expression such as -i node_modules or -i '\\.log$'.");
  }
}
