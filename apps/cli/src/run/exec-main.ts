import path from 'node:path';
import { Containers } from '@lamella/engine';
import { parseCommand } from '../command-line/parse-command.js';
import { UsageError } from '../errors/usage-error.js';
import { exitStatusOf, reportFailure } from '../output/exit-status.js';
import { stdout } from '../output/out.js';
import { EXEC_FLAGS, type ExecFlags } from '../run-flags/exec-flags.js';
import { environment, workdir } from '../run-flags/run-spec.js';
import { forwardSignals, windowSize } from '../terminal/forward-signals.js';
import { hasNoInput, requireTty } from '../terminal/require-tty.js';
import { beforeExit, frontOptions, frontTitle } from './front-options.js';
import { recordOptions } from './record-options.js';

const HINT = 'Usage: lamella exec [OPTIONS] CONTAINER COMMAND [ARG…]. See lamella exec --help.';

/** Runs `lamella exec`. @returns the exit status */
export async function execMain(argv: readonly string[]): Promise<number> {
  let flags: ExecFlags = {};
  try {
    const parsed = await parseCommand(argv, { command: 'exec', flags: EXEC_FLAGS, leading: true });
    flags = parsed.flags;
    const [reference, ...args] = parsed.words;
    if (reference === undefined) throw new UsageError('no container given', HINT);
    if (!args.length) throw new UsageError('no command given', HINT);
    return await execute(reference, args, flags, argv);
  } catch (error) {
    return reportFailure(error, { json: flags.json, debug: flags.debug });
  }
}

async function execute(reference: string, args: readonly string[], flags: ExecFlags, argv: readonly string[]): Promise<number> {
  const { interactive = false, tty = false, detach = false, json = false } = flags;
  if (json && tty) throw new UsageError('--json and --tty cannot be used together', 'Remove one of them.');
  if (detach && (tty || interactive || json)) throw new UsageError('-d cannot be used with -i, -t or --json', 'Remove -d, or the other flag.');
  if (tty && interactive) requireTty(`Remove -t to use a file or a pipe: lamella exec -i ${reference} COMMAND`);
  const terminal = tty ? (windowSize() ?? { rows: 24, columns: 80 }) : undefined;
  const container = await new Containers(flags.root === undefined ? undefined : path.resolve(flags.root)).get(reference);
  const output = detach ? 'ignore' : json ? 'pipe' : 'inherit';
  const spec = {
    args,
    env: environment(flags['env-file'] ?? [], flags.env ?? []),
    ...(flags.workdir === undefined ? {} : { cwd: workdir(flags.workdir) }),
    ...(flags.user === undefined ? {} : { user: flags.user }),
    ...(flags.privileged ? { privileged: true } : {}),
    ...(terminal ? { terminal, input: { forward: interactive, raw: interactive && process.stdin.isTTY === true, ended: hasNoInput(interactive) } } : {}),
    ...(detach ? { detached: true } : {}),
  };
  if (!detach && !json)
    await container.becomeExec(spec, {
      ...frontOptions(flags),
      title: (words) => frontTitle(['exec', reference, ...words]),
      record: recordOptions('exec', argv, args, flags),
      onLast: beforeExit,
    });
  const running = await container.exec(spec, { stdio: [interactive ? 'inherit' : 'ignore', output, output], forceKillAfterDelay: false });
  if (detach) {
    if ((await running.started) === undefined) await running.result;
    running.release();
    return 0;
  }
  using _signals = forwardSignals(running, terminal !== undefined);
  const result = await running.result;
  if (json) stdout.json(result);
  return exitStatusOf(result);
}
