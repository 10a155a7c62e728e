import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { findProgram, OCI_RUNTIME, type OciBundle, ociBundle, type ScratchDirectory } from '@lamella-test/scratch';
import { medians, settle } from './measure.js';
import { memoryOf } from './memory-of.js';
import type { Row, Skipped } from './row.js';

/** What an engine does with every container, each in a separate process: create, start, delete. */
export async function ociRuntime(at: ScratchDirectory, rounds: number): Promise<(Row | Skipped)[]> {
  const rows: (Row | Skipped)[] = [];
  const node = process.execPath;
  const alone = await medians(
    { ours: () => void spawnSync(node, [OCI_RUNTIME, 'features']), node: () => void spawnSync(node, ['-e', '0']) },
    { rounds: rounds * 2, warmup: 2 },
  );
  rows.push({
    what: '`lamella-oci features`, the start of the command',
    ours: alone.ours,
    against: '`node -e 0`',
    theirs: alone.node,
    target: { atMost: 1.6 },
    unit: 'ms',
  });
  for (const name of ['crun', 'runc']) {
    const program = findProgram(name);
    const what = `create + start + delete, \`lamella-oci\` against \`${name}\``;
    if (!program) {
      rows.push({ what, reason: `${name} is not installed` });
      continue;
    }
    // crun refuses cgroups of both versions at once: then both have version 2 alone, in a mount namespace.
    const apart = name === 'crun' && existsSync('/sys/fs/cgroup/memory');
    const within = (runtime: readonly string[]): readonly string[] =>
      apart ? ['unshare', '--mount', 'sh', '-c', 'mount -t cgroup2 none /sys/fs/cgroup && exec "$@"', 'sh', ...runtime] : runtime;
    const place = (who: string): ScratchDirectory => ({ ...at, join: (...parts) => at.join(`${who}-${name}`, ...parts) });
    const ours = ociBundle(place('ours'), within([OCI_RUNTIME]));
    const theirs = ociBundle(place('theirs'), within([program]));
    const why = configure(theirs) ?? configure(ours);
    if (why !== undefined) {
      rows.push({ what, reason: `it does not run here: ${why}` });
      continue;
    }
    const times = await medians({ ours: () => life(ours), theirs: () => life(theirs) }, { rounds, warmup: 1, before: settle });
    rows.push({ what, ours: times.ours, against: `\`${name}\`${apart ? ', both behind `unshare`' : ''}`, theirs: times.theirs, unit: 'ms' });
    const states = await medians({ ours: stateOf(ours), theirs: stateOf(theirs) }, { rounds: rounds * 2, warmup: 2 });
    for (const bundle of [ours, theirs]) bundle.oci('delete', '--force', WAITING);
    rows.push({
      what: `state, \`lamella-oci\` against \`${name}\``,
      ours: states.ours,
      against: `\`${name} state\``,
      theirs: states.theirs,
      ...(name === 'runc' ? { target: { atMost: 1 } } : {}),
      unit: 'ms',
    });
    rows.push({ what: 'Memory of a created container (PSS)', ours: waiting(ours), against: `\`${name}\``, theirs: waiting(theirs), unit: 'MB' });
  }
  return rows;
}

/** @returns why a container does not run */
function configure(bundle: OciBundle): string | undefined {
  bundle.configure((config) => {
    config.process.args = ['/bin/true'];
    config.process.rlimits = [];
    // A device filter is a BPF program, for which crun raises a limit that not every machine lets it raise.
    config.linux.resources = {};
  });
  const { status, stderr } = bundle.oci('run', 'first');
  return status === 0 ? undefined : stderr.trim().split('\n')[0];
}

let count = 0;

function life(bundle: OciBundle): void {
  const id = `bench-${count++}`;
  for (const args of [
    ['create', id],
    ['start', id],
    ['delete', '--force', id],
  ]) {
    const { status, stderr } = bundle.oci(...args);
    if (status !== 0) throw new Error(`${args.join(' ')}: ${stderr}`);
  }
}

const WAITING = 'bench-waiting';

/** Creates a container. @returns what shows its state */
function stateOf(bundle: OciBundle): () => void {
  bundle.oci('create', WAITING);
  return () => {
    const { status, stderr } = bundle.oci('state', WAITING);
    if (status !== 0) throw new Error(stderr);
  };
}

/** Megabytes that the process takes which waits to be started. */
function waiting(bundle: OciBundle): number {
  const id = `bench-${count++}`;
  bundle.oci('create', id);
  try {
    const { pid } = JSON.parse(bundle.oci('state', id).stdout);
    return memoryOf(pid);
  } finally {
    bundle.oci('delete', '--force', id);
  }
}
