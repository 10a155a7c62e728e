import { mkdirSync } from 'node:fs';
import { ImageStore, type RunSpec, run } from '@lamella/engine';
import { busyboxArchive, type ScratchDirectory } from '@lamella-test/scratch';
import { medians, settle } from './measure.js';
import type { Row } from './row.js';

/** What each default of a run costs, and what some options add: `run(true)` of the SDK with another spec, against the defaults. */
export async function costs(at: ScratchDirectory, rounds: number): Promise<Row[]> {
  const root = at.join('store');
  await new ImageStore(root).import(busyboxArchive(), 'busybox');
  mkdirSync(at.join('volume'));
  const specs: Readonly<Record<string, Partial<RunSpec>>> = {
    defaults: {},
    "the host's network, `network: 'host'`": { network: 'host' },
    "no filter, `seccomp: 'unconfined'`": { seccomp: 'unconfined' },
    'no filter, all capabilities, new privileges': { seccomp: 'unconfined', capAdd: ['ALL'], noNewPrivileges: false },
    'no init, `init: false`': { init: false },
    'no masks, no filter, all capabilities, `privileged: true`': { privileged: true },
    'a memory limit, and so a cgroup': { resources: { memory: 2 ** 28 } },
    'a user namespace': { userns: { mode: 'auto' } },
    'a volume': { volumes: [{ source: at.join('volume'), destination: '/volume' }] },
    'a kept upper directory, `keep: true`': { keep: true },
  };
  const actions = Object.fromEntries(
    Object.entries(specs).map(([name, spec]) => [name, (): Promise<unknown> => run({ root, image: 'busybox', args: ['/bin/true'], ...spec })]),
  );
  for (const [name, action] of Object.entries(actions)) {
    try {
      await action();
    } catch {
      // This machine or kernel does not have it.
      delete actions[name];
    }
  }
  const { defaults = Number.NaN, ...others } = await medians(actions, { rounds, warmup: 3, before: settle });
  return Object.entries(others).map(([what, ours]): Row => ({ what, ours, against: 'the defaults', theirs: defaults, unit: 'ms' }));
}
