import { becomeContainer, type Container, Containers, createContainer, explainRun, type RunOptions, type RunSpec } from '@lamella/engine';
import { acceptedPaths } from '../container/accept-source.js';
import { UsageError } from '../errors/usage-error.js';
import { hasPlugins, notifyPlugins } from '../hooks/plugin-hooks.js';
import { exitStatusOf, reportFailure } from '../output/exit-status.js';
import { stderr, stdout } from '../output/out.js';
import { reportError } from '../output/report-error.js';
import { lifecycle } from '../run-flags/lifecycle-flags.js';
import { parseRun, type RunCommandLine } from '../run-flags/parse-run.js';
import { buildRunSpec } from '../run-flags/run-spec.js';
import { detachedMessage, printDetached } from '../terminal/detach-keys.js';
import { forwardSignals, windowSize } from '../terminal/forward-signals.js';
import { hasNoInput, requireTty } from '../terminal/require-tty.js';
import { pullProgress } from '../transfer/pull-progress.js';
import { beforeExit, frontOptions, frontTitle } from './front-options.js';
import { recordOptions } from './record-options.js';
import { runDetached } from './run-detached.js';
import { writeCidfile } from './write-cidfile.js';

/** Runs `lamella run`: parses, calls the engine, prints. @returns the exit status */
export async function runMain(argv: readonly string[]): Promise<number> {
  const json = argv.includes('--json');
  let line: RunCommandLine | undefined;
  try {
    line = await parseRun(argv);
    for (const flag of ['explain', 'detach', 'rm'] as const)
      if (line.flags.on !== undefined && line.flags[flag]) throw new UsageError(`--on and --${flag} cannot be used together`, 'Remove one of them.');
    if (line.flags.on === undefined && line.flags['accept-source']) throw new UsageError('--accept-source requires --on', 'Add --on CONTAINER.');
    if (line.flags.explain) return await explain(line);
    return line.flags.detach ? await runDetached(line, argv) : await execute(line, argv);
  } catch (error) {
    return reportFailure(error, { json: (line?.flags.json ?? json) && !(error instanceof UsageError && !line), debug: line?.flags.debug });
  }
}

/** Flags that can be used with `--on`. All others apply to the creation of a container. */
const ON_FLAGS: ReadonlySet<string> = new Set([
  ...['on', 'accept-source', 'root', 'json', 'debug', 'cidfile', 'keep'],
  ...['interactive', 'tty', 'detach-keys', 'env', 'env-file', 'workdir', 'user', 'init', 'network'],
  ...['memory', 'memory-swap', 'cpus', 'cpu-shares', 'cpuset-cpus', 'pids-limit', 'blkio-weight'],
]);

/** Runs a command in an existing container. Flags that would change the container are errors. */
async function runOn(
  reference: string,
  { args, cwd, user, env, network, terminal, input, init, resources, detachKeys, root }: RunSpec,
  { flags, given }: RunCommandLine,
  options: RunOptions,
): Promise<Container> {
  const unsupported = [...given].find((flag) => !ON_FLAGS.has(flag));
  if (unsupported !== undefined)
    throw new UsageError(
      `--on and --${unsupported} cannot be used together: ${reference} exists already`,
      'With --on only the command, -e, -u, -w, --network, limits, -i and -t can be set. Or create a new container.',
    );
  if (!args?.length) throw new UsageError('no command given', 'Usage: lamella run --on CONTAINER COMMAND [ARG…]');
  const container = await new Containers(root).get(reference);
  return container.run(
    {
      args,
      acceptSources: acceptedPaths(flags['accept-source']),
      ...(env ? { env } : {}),
      ...(cwd === undefined ? {} : { cwd }),
      ...(user === undefined ? {} : { user }),
      ...(network !== undefined && given.has('network') ? { network } : {}),
      ...(resources ? { resources } : {}),
      ...(detachKeys === undefined ? {} : { detachKeys }),
      ...(terminal ? { terminal } : {}),
      ...(input ? { input } : {}),
      ...(init ? { init } : {}),
    },
    options,
  );
}

async function explain(line: RunCommandLine): Promise<number> {
  const { explainText } = await import('@lamella/syscall');
  const size = line.flags.tty ? (windowSize() ?? { rows: 24, columns: 80 }) : undefined;
  const program = await explainRun({ ...(await buildRunSpec(line)), ...(size ? { terminal: size } : {}) });
  stdout.lines(explainText(program).split('\n'));
  return 0;
}

async function execute(line: RunCommandLine, argv: readonly string[]): Promise<number> {
  const { flags } = line;
  if (lifecycle(flags).restart?.policy !== undefined && lifecycle(flags).restart?.policy !== 'no') throw new UsageError('--restart requires -d', 'Add -d.');
  if (flags.json && flags.tty) throw new UsageError('--json and --tty cannot be used together', 'Remove one of them.');
  if (flags.tty && flags.interactive) requireTty('Remove -t to use a file or a pipe: lamella run -i IMAGE COMMAND');
  const terminal = flags.tty ? (windowSize() ?? { rows: 24, columns: 80 }) : undefined;
  // Reading process.stdin makes the descriptor non-blocking, for the container too.
  const raw = terminal !== undefined && flags.interactive && process.stdin.isTTY === true;
  const abort = new AbortController();
  const interrupt = (): void => abort.abort(new UsageError('interrupted', 'The container was removed.'));
  process.once('SIGINT', interrupt);
  const bars = pullProgress(line);
  try {
    const spec = {
      ...(await buildRunSpec(line)),
      ...(terminal ? { terminal, input: { forward: flags.interactive, raw, ended: hasNoInput(flags.interactive) } } : {}),
    };
    const options: RunOptions = {
      stdio: [flags.interactive ? 'inherit' : 'ignore', flags.json ? 'pipe' : 'inherit', flags.json ? 'pipe' : 'inherit'],
      cancelSignal: abort.signal,
      // A signal is forwarded, and no SIGKILL follows, as with docker run.
      forceKillAfterDelay: false,
      onProgress: ({ bytes, total }) => bars.show({ diffID: line.image, state: 'unpacking', bytes, total }),
      onPull: bars.show,
      onNote: bars.note,
    };
    if (!flags.json && flags.cidfile === undefined && flags.on === undefined && !hasPlugins()) {
      await becomeContainer(spec, options, {
        ...frontOptions(flags),
        title: (args) => frontTitle(['run', line.image, ...args]),
        left: detachedMessage,
        record: recordOptions('run', argv, line.args, flags),
        onLast: () => beforeExit(bars.stop),
      });
    }
    await notifyPlugins('before_create', { spec });
    const container = flags.on === undefined ? await createContainer(spec, options) : await runOn(flags.on, spec, line, options);
    bars.stop();
    process.off('SIGINT', interrupt);
    if (flags.cidfile !== undefined) writeCidfile(flags.cidfile, container.id);
    using _signals = forwardSignals(container, terminal !== undefined);
    try {
      await notifyPlugins('after_start', { id: container.id });
    } catch (error) {
      // This command exits, so the container must not stay.
      await container[Symbol.asyncDispose]();
      throw error;
    }
    const result = await Promise.race([container.result, container.detached]);
    if (!result) {
      printDetached(flags.name ?? container.id);
      return 0;
    }
    if (flags.json) stdout.json(result);
    else if (result.kept && flags.on === undefined) stderr.line(`kept ${result.kept}`);
    await notifyPlugins('after_exit', { id: container.id, exitCode: result.exitCode, signal: result.signal });
    for (const failure of result.releaseFailures) reportError(failure, { debug: flags.debug });
    return exitStatusOf(result);
  } finally {
    bars.stop();
    process.off('SIGINT', interrupt);
  }
}
