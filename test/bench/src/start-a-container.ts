import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { ImageStore, run } from '@lamella/engine';
import { busyboxArchive, findProgram, type ScratchDirectory } from '@lamella-test/scratch';
import { medians } from './measure.js';
import type { Row, Skipped } from './row.js';

/** A container around `true`, by the SDK in a warm Node and by the CLI, against bare processes and peers. */
export async function startAContainer(at: ScratchDirectory, rounds: number): Promise<(Row | Skipped)[]> {
  const root = at.join('store');
  const store = new ImageStore(root);
  await store.import(busyboxArchive(), 'busybox');
  const rows: (Row | Skipped)[] = [];

  const bare = async (): Promise<void> => void (await once(spawn('/bin/true', { stdio: 'ignore' }), 'exit'));
  const ours = (): Promise<unknown> => run({ root, image: 'busybox', args: ['/bin/true'] }, { stdio: ['ignore', 'ignore', 'ignore'] });
  const sdk = await medians({ ours, bare }, { rounds: rounds * 10, warmup: 5 });
  rows.push({ what: 'SDK `run(true)`, warm Node', ours: sdk.ours, against: 'spawn `/bin/true`', theirs: sdk.bare, target: { atMost: 4 }, unit: 'ms' });

  for (const runtime of ['crun', 'runc']) {
    const what = `SDK \`run(true)\` against ${runtime}`;
    const program = findProgram(runtime);
    const [layer] = (await store.resolve('busybox')).layers;
    const peer = program && layer ? overlayAndRuntime(at, program, layer.path) : undefined;
    if (!peer) rows.push({ what, reason: `${runtime} is not installed` });
    else if (typeof peer === 'string') rows.push({ what, reason: peer });
    else {
      const pair = await medians({ ours, peer }, { rounds });
      rows.push({ what, ours: pair.ours, against: `overlay mount + \`${runtime} run\` + umount`, theirs: pair.peer, target: { timesFaster: 5 }, unit: 'ms' });
    }
  }

  const cli = path.join(path.dirname(createRequire(import.meta.url).resolve('lamella/package.json')), 'bin/lamella.cjs');
  const env = { ...process.env, LAMELLA_ROOT: root };
  const node = (...args: string[]): void => {
    const { status } = spawnSync(process.execPath, args, { stdio: 'ignore', env });
    if (status !== 0) throw new Error(`node ${args.join(' ')} ended with ${status}`);
  };
  const command = (): void => node(cli, 'run', 'busybox', 'true');
  const starts = await medians({ ours: command, bare: () => node('-e', '0') }, { rounds: rounds * 2, warmup: 3 });
  rows.push({ what: 'CLI `lamella run busybox true`', ours: starts.ours, against: '`node -e 0`', theirs: starts.bare, target: { atMost: 2.2 }, unit: 'ms' });

  const docker = dockerRun();
  if (typeof docker === 'string') rows.push({ what: 'CLI against `docker run`', reason: docker });
  else {
    const pair = await medians({ ours: command, peer: docker }, { rounds });
    rows.push({
      what: 'CLI `lamella run busybox true`',
      ours: pair.ours,
      against: '`docker run --rm --network none`',
      theirs: pair.peer,
      target: { timesFaster: 2.5 },
      unit: 'ms',
    });
  }
  return rows;
}

/** What somebody without Lamella would do: mount an overlay, have an OCI runtime run in it, unmount. */
function overlayAndRuntime(at: ScratchDirectory, runtime: string, layer: string): (() => void) | string {
  const bundle = at.join(`bundle-${path.basename(runtime)}`);
  for (const name of ['upper', 'work', 'rootfs', 'state']) mkdirSync(path.join(bundle, name), { recursive: true });
  execFileSync(runtime, ['spec'], { cwd: bundle });
  const file = path.join(bundle, 'config.json');
  const spec = JSON.parse(execFileSync('cat', [file], { encoding: 'utf8' }));
  spec.process = { ...spec.process, terminal: false, args: ['/bin/true'], rlimits: [] };
  writeFileSync(file, JSON.stringify(spec));
  const options = `lowerdir=${layer},upperdir=${path.join(bundle, 'upper')},workdir=${path.join(bundle, 'work')}`;
  let count = 0;
  const once = (): void => {
    const rootfs = path.join(bundle, 'rootfs');
    execFileSync('mount', ['-t', 'overlay', 'overlay', '-o', options, rootfs]);
    try {
      execFileSync(runtime, ['--root', path.join(bundle, 'state'), 'run', '--bundle', bundle, `bench-${count++}`], { stdio: ['ignore', 'ignore', 'pipe'] });
    } finally {
      execFileSync('umount', [rootfs]);
    }
  };
  try {
    once();
  } catch (error) {
    return `${runtime} does not run here: ${String((error as { stderr?: Buffer }).stderr ?? error)
      .trim()
      .split('\n')
      .at(-1)}`;
  }
  return once;
}

function dockerRun(): (() => void) | string {
  if (!findProgram('docker')) return 'docker is not installed';
  const tarball = busyboxArchive();
  const loaded = spawnSync('docker', ['import', tarball, 'lamella-bench'], { encoding: 'utf8' });
  if (loaded.status !== 0) return `docker does not answer: ${loaded.stderr.trim().split('\n')[0]}`;
  return () => {
    execFileSync('docker', ['run', '--rm', '--network', 'none', 'lamella-bench', '/bin/true'], { stdio: 'ignore' });
  };
}
