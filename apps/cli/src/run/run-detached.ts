import { Containers, type DetachedSpec } from '@lamella/engine';
import { UsageError } from '../errors/usage-error.js';
import { notifyPlugins } from '../hooks/plugin-hooks.js';
import { stdout } from '../output/out.js';
import type { RunCommandLine } from '../run-flags/parse-run.js';
import { buildRunSpec } from '../run-flags/run-spec.js';
import { pullProgress } from '../transfer/pull-progress.js';
import { writeCidfile } from './write-cidfile.js';

/** `lamella run -d`: it goes on when this process ends; its id is printed. */
export async function runDetached(line: RunCommandLine): Promise<number> {
  const { flags } = line;
  if (flags.workspace !== undefined) throw new UsageError('-d and --workspace contradict each other', 'A workspace is for one run in front of you.');
  const { containers, spec } = await buildDetachedSpec(line);
  const bars = pullProgress(line);
  try {
    await notifyPlugins('before_create', { spec });
    const { container } = await containers.run(spec, { onPull: bars.show, onNote: bars.note });
    bars.stop();
    if (flags.cidfile !== undefined) writeCidfile(flags.cidfile, container.id);
    if (flags.json) stdout.json({ id: container.id });
    else stdout.line(container.id);
    // It runs on whatever they say: its id is known by now.
    await notifyPlugins('after_start', { id: container.id });
    return 0;
  } finally {
    bars.stop();
  }
}

/** What a command line asks for, for a container with a life of its own. */
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
