import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { ImageStore, pool, run } from '@lamella/engine';
import { busyboxArchive, type ScratchDirectory } from '@lamella-test/scratch';
import { medians, settle } from './measure.js';
import { memoryOf } from './memory-of.js';
import { bubblewrapScript, dockerRun } from './peers.js';
import type { Row, Skipped } from './row.js';

/** A container around `true`, by the SDK in a warm Node and by the CLI, against bare processes and peers. */
export async function startAContainer(at: ScratchDirectory, rounds: number): Promise<(Row | Skipped)[]> {
  const root = at.join('store');
  const store = new ImageStore(root);
  await store.import(busyboxArchive(), 'busybox');
  const rows: (Row | Skipped)[] = [];

  const bare = async (): Promise<void> => void (await once(spawn('/bin/true', { stdio: 'ignore' }), 'exit'));
  const ours = (): Promise<unknown> => run({ root, image: 'busybox', args: ['/bin/true'] }, { stdio: ['ignore', 'ignore', 'ignore'] });
  /** The same without a filter, with all capabilities; what hides the host's files in /proc is in both. */
  const open = (): Promise<unknown> =>
    run(
      { root, image: 'busybox', args: ['/bin/true'], seccomp: 'unconfined', capAdd: ['ALL'], noNewPrivileges: false },
      { stdio: ['ignore', 'ignore', 'ignore'] },
    );
  const sdk = await medians({ ours, bare, open }, { rounds: rounds * 5, warmup: 5, before: settle });
  rows.push({ what: 'SDK `run(true)`, warm Node', ours: sdk.ours, against: 'spawn `/bin/true`', theirs: sdk.bare, target: { atMost: 4 }, unit: 'ms' });

  rows.push({
    what: 'What confinement adds to it (filter, capabilities, no new privileges)',
    ours: Math.max(0, sdk.ours - sdk.open),
    against: 'spawn `/bin/true`',
    theirs: sdk.bare,
    target: { atMost: 1 },
    unit: 'ms',
  });

  {
    const count = rounds * 5 + 5;
    await using warm = await pool({ root, image: 'busybox', size: count });
    const piped = async (): Promise<void> => void (await once(spawn('/bin/true', { stdio: ['ignore', 'pipe', 'pipe'] }), 'close'));
    const pooled = await medians({ ours: () => warm.run(['/bin/true']), bare: piped }, { rounds: rounds * 5, warmup: 3, before: settle });
    rows.push({ what: 'SDK `pool.run(true)`, warm', ours: pooled.ours, against: 'spawn `/bin/true`', theirs: pooled.bare, target: { atMost: 1 }, unit: 'ms' });
  }

  rows.push(...againstRuntimes(root, rounds));

  const cli = path.join(path.dirname(createRequire(import.meta.url).resolve('lamella/package.json')), 'bin/lamella');
  const env = { ...process.env, LAMELLA_ROOT: root };
  const node = (...args: string[]): void => {
    const { status } = spawnSync(process.execPath, args, { stdio: 'ignore', env });
    if (status !== 0) throw new Error(`node ${args.join(' ')} ended with ${status}`);
  };
  const command = (): void => node(cli, 'run', 'busybox', 'true');
  const starts = await medians({ ours: command, bare: () => node('-e', '0') }, { rounds: rounds * 2, warmup: 3, before: settle });
  // Node is started directly, so no launcher looks for a record.
  const what = 'CLI `lamella run busybox true`, by Node';
  rows.push({ what, ours: starts.ours, against: '`node -e 0`', theirs: starts.bare, target: { atMost: 1.6 }, unit: 'ms' });

  const [waiting, idle] = [await whileWaiting([cli, 'run', 'busybox', 'sh', '-c', 'echo ready; exec sleep 1000'], env), await whileWaiting(['-e', IDLE], env)];
  rows.push({ what: 'Memory of what waits for a CLI run (PSS)', ours: waiting, against: 'a Node that waits', theirs: idle, unit: 'MB' });

  const layer = path.join(root, 'layers', readdirSync(path.join(root, 'layers')).find((name) => !name.startsWith('.')) ?? '', 'fs');
  const bubblewrap = bubblewrapScript(at, layer);
  if (typeof bubblewrap === 'string') rows.push({ what, reason: bubblewrap });
  else {
    const pair = await medians({ ours: command, peer: bubblewrap.once }, { rounds: rounds * 2, before: settle });
    rows.push({ what, ours: pair.ours, against: 'a shell script: `mount -t overlay` and `bwrap`', theirs: pair.peer, unit: 'ms' });
  }

  const docker = await dockerRun(at);
  if (typeof docker === 'string') rows.push({ what, reason: docker });
  else {
    const pair = await medians({ ours: command, peer: docker.once }, { rounds, before: settle });
    await docker.close();
    rows.push({ what, ours: pair.ours, against: '`docker run --rm --network none`', theirs: pair.peer, target: { timesFaster: 2.5 }, unit: 'ms' });
  }
  return rows;
}

const IDLE = "console.log('ready'); setInterval(() => {}, 1e9)";

/** Returns the megabytes of a Node, of what it became, and of what they started, without the container's process. */
async function whileWaiting(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'], env });
  const pid = child.pid ?? -1;
  try {
    await once(child.stdout, 'data');
    const monitor = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    return memoryOf(pid, ...(monitor ? [Number(monitor)] : []));
  } finally {
    child.kill('SIGKILL');
    await once(child, 'close');
  }
}

/** In a mount namespace with a plain cgroup2, for crun refuses a hybrid. */
function againstRuntimes(root: string, rounds: number): (Row | Skipped)[] {
  const script = 'mount -t cgroup2 cgroup2 /sys/fs/cgroup; exec "$0" "$@"';
  const entry = path.join(import.meta.dirname, 'against-runtimes.js');
  const { status, stdout, stderr } = spawnSync(
    'unshare',
    ['-m', '--propagation', 'private', 'sh', '-c', script, process.execPath, entry, root, String(rounds)],
    { encoding: 'utf8' },
  );
  return status === 0 ? (JSON.parse(stdout) as (Row | Skipped)[]) : [{ what: 'SDK `run(true)` against crun and runc', reason: stderr.trim() }];
}
