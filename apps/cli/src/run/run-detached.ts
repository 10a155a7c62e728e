import { Containers, type DetachedSpec } from '@lamella/engine';
import { UsageError } from '../errors/usage-error.js';
import { hasPlugins, notifyPlugins } from '../hooks/plugin-hooks.js';
import { stdout } from '../output/out.js';
import type { RunCommandLine } from '../run-flags/parse-run.js';
import { buildRunSpec } from '../run-flags/run-spec.js';
import { pullProgress } from '../transfer/pull-progress.js';
import { beforeExit, frontOptions, frontTitle } from './front-options.js';
import { recordOptions } from './record-options.js';
import { writeCidfile } from './write-cidfile.js';

/** Runs `lamella run -d`, and prints the id of the container. @returns the exit status */
export async function runDetached(line: RunCommandLine, argv: readonly string[]): Promise<number> {
  const { flags } = line;
  if (flags.workspace !== undefined) throw new UsageError('-d and --workspace cannot be used together', 'Remove one of them.');
  const { containers, spec } = await buildDetachedSpec(line);
  const bars = pullProgress(line);
  try {
    if (!flags.json && flags.cidfile === undefined && !hasPlugins())
      await containers.becomeRun(
        spec,
        { onPull: bars.show, onNote: bars.note },
        {
          ...frontOptions(flags),
          title: (args) => frontTitle(['run', line.image, ...args]),
          started: (id) => `${id}\n`,
          record: recordOptions('run', argv, line.args, flags),
          onLast: () => beforeExit(bars.stop),
        },
      );
    await notifyPlugins('before_create', { spec });
    const { container } = await containers.run(spec, { onPull: bars.show, onNote: bars.note });
    bars.stop();
    if (flags.cidfile !== undefined) writeCidfile(flags.cidfile, container.id);
    if (flags.json) stdout.json({ id: container.id });
    else stdout.line(container.id);
    // A failing plugin does not stop the container: its id is printed already.
    await notifyPlugins('after_start', { id: container.id });
    return 0;
  } finally {
    bars.stop();
  }
}

/** Returns the specification of a detached container for a command line. */
export async function buildDetachedSpec(line: RunCommandLine): Promise<{ readonly containers: Containers; readonly spec: DetachedSpec }> {
  const { flags } = line;
  const { root, workspace: _workspace, keep: _keep, ...spec } = await buildRunSpec(line);
  return {
    containers: new Containers(root),
    spec: {
      ...spec,
      remove: flags.rm ?? false,
      ...(flags.tty ? { terminal: { rows: 24, columns: 80 } } : {}),
      ...(flags.interactive ? { input: { forward: true, raw: false } } : {}),
    },
  };
}
