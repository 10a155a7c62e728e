import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { Containers, ImageStore } from '@lamella/engine';
import { busyboxArchive, dockerDaemon, findProgram, type ScratchDirectory } from '@lamella-test/scratch';
import { medians, settle } from './measure.js';
import type { Row, Skipped } from './row.js';

/** Commands in one measurement. A shell starts them, because starting any process from Node takes milliseconds. */
const BATCH = 5;
const IMAGE = 'lamella-bench';

/** A command of another program for a shell, how it is shown, and what was promised against it. */
interface Peer {
  readonly shown: string;
  readonly script: string;
  readonly target?: Row['target'];
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** What a shell waits for: `lamella run` and `lamella exec` against the commands of others. */
export async function fromAShell(at: ScratchDirectory, rounds: number): Promise<(Row | Skipped)[]> {
  const root = at.join('store');
  await new ImageStore(root).import(busyboxArchive(), 'busybox');
  const cli = path.join(path.dirname(createRequire(import.meta.url).resolve('lamella/package.json')), 'bin/lamella');
  const env = { ...process.env, LAMELLA_ROOT: root, XDG_CACHE_HOME: at.join('cache'), LAMELLA_NODE: process.execPath };
  const node: Peer = { shown: '`node -e 0`', script: `'${process.execPath}' -e 0` };
  const docker = await dockerDaemon(at);
  const rows: (Row | Skipped)[] = [];
  const compare = async (what: string, ours: Peer, peers: readonly (Peer | Skipped)[]): Promise<void> => {
    for (const peer of peers) {
      const why = 'reason' in peer ? peer.reason : once(peer);
      if (why !== undefined) rows.push({ what: 'reason' in peer ? peer.what : `${what} against ${peer.shown}`, reason: why });
      if ('reason' in peer || why !== undefined) continue;
      const { mine, theirs } = await medians({ mine: () => batch(ours), theirs: () => batch(peer) }, { rounds, before: settle });
      rows.push({ what, ours: mine / BATCH, against: peer.shown, theirs: theirs / BATCH, ...(peer.target ? { target: peer.target } : {}), unit: 'ms' });
    }
  };
  const layer = path.join(root, 'layers', readdirSync(path.join(root, 'layers')).find((name) => !name.startsWith('.')) ?? '', 'fs');
  await compare('`lamella run busybox true`, from a shell', { shown: '', script: `'${cli}' run busybox true`, env }, [
    { ...node, target: { atMost: 0.25 } },
    ...overlayPeers(at, layer),
    ...(typeof docker === 'string' ? [{ what: '`docker run`', reason: docker }] : [imported(docker.env)]),
    podman(`run --rm --network none ${IMAGE} /bin/true`),
  ]);

  const byNode = { ...env, LAMELLA_REPLAY: '0' };
  await compare('`lamella run busybox true`, without a record', { shown: '', script: `'${cli}' run busybox true`, env: byNode }, [
    { ...node, target: { atMost: 1.6 } },
  ]);
  await compare('`lamella try true`', { shown: '', script: `'${cli}' try true`, env }, [{ ...node, target: { atMost: 0.6 } }]);

  const { container } = await new Containers(root).run({ image: 'busybox', args: ['sleep', '100000'] });
  const { pid } = await container.state();
  const running = [
    ...(typeof docker === 'string' ? [] : [{ program: 'docker', env: docker.env }]),
    ...(findProgram('podman') ? [{ program: 'podman', env: process.env }] : []),
  ];
  const named = running.map(({ program, env: its }): Peer | Skipped => {
    const { status, stderr } = spawnSync(program, ['run', '-d', '--name', IMAGE, '--network', 'none', IMAGE, '/bin/sleep', '100000'], {
      env: its,
      encoding: 'utf8',
    });
    if (status !== 0) return { what: `\`${program} exec\``, reason: stderr.trim().split('\n')[0] ?? '' };
    return { shown: `\`${program} exec\``, script: `${program} exec ${IMAGE} /bin/true`, env: its };
  });
  try {
    await compare('`lamella exec`, from a shell', { shown: '', script: `'${cli}' exec ${container.id} true`, env }, [
      { ...node, target: { atMost: 0.2 } },
      { shown: '`nsenter --all`, which drops no rights', script: `nsenter --all --target ${pid} /bin/true` },
      ...named,
    ]);
  } finally {
    await container.remove({ force: true });
    for (const { program, env: its } of running) spawnSync(program, ['rm', '-f', '-t', '0', IMAGE], { env: its });
    if (findProgram('podman')) spawnSync('podman', ['rmi', '-f', IMAGE]);
    if (typeof docker !== 'string') await docker.close();
  }
  return rows;
}

/** @returns why a command does not run here */
function once({ script, cwd, env }: Peer): string | undefined {
  const { status, stderr } = spawnSync('sh', ['-c', script], { cwd, env, encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'] });
  return status === 0 ? undefined : stderr.trim().split('\n').at(-1);
}

function batch({ script, cwd, env }: Peer): void {
  const { status } = spawnSync('sh', ['-c', `i=0; while [ $i -lt ${BATCH} ]; do ( ${script} ) || exit 9; i=$((i+1)); done`], { cwd, env, stdio: 'ignore' });
  if (status !== 0) throw new Error(`${script} ended with ${status}`);
}

/** An overlay, mounted by a shell in a mount namespace, and a program that makes the rest of a container. */
function overlayPeers(at: ScratchDirectory, layer: string): (Peer | Skipped)[] {
  const place = at.join('overlay');
  for (const name of ['upper', 'work', 'merged', 'state']) mkdirSync(path.join(place, name), { recursive: true });
  const mount = `mount -t overlay overlay -o 'lowerdir=${layer},upperdir=upper,workdir=work' merged`;
  const within = (program: string): string => `unshare -m sh -c "${mount} && exec ${program}"`;
  const peers: (Peer | Skipped)[] = [
    { shown: '`unshare` and an overlay, without a filter', script: within('unshare -uipn --fork --kill-child --mount-proc --root merged /bin/true') },
  ];
  if (findProgram('bwrap')) {
    const command = within('bwrap --unshare-all --die-with-parent --bind merged / --proc /proc --dev /dev /bin/true');
    peers.push({ shown: '`bwrap` and an overlay', script: command, target: { atMost: 0.6 } });
  } else peers.push({ what: '`bwrap` and an overlay', reason: 'bwrap is not installed' });
  for (const name of ['crun', 'runc']) {
    if (!findProgram(name)) {
      peers.push({ what: `\`${name} run\` and an overlay`, reason: `${name} is not installed` });
      continue;
    }
    const bundle = path.join(place, name);
    mkdirSync(bundle);
    spawnSync(name, ['spec'], { cwd: bundle });
    const file = path.join(bundle, 'config.json');
    const spec = JSON.parse(readFileSync(file, 'utf8'));
    spec.root.path = path.join(place, 'merged');
    spec.process = { ...spec.process, terminal: false, args: ['/bin/true'], rlimits: [] };
    // A device filter is a BPF program, for which crun raises a limit that not every machine lets it raise.
    spec.linux.resources = {};
    writeFileSync(file, JSON.stringify(spec));
    const cgroup2 = name === 'crun' ? 'mount -t cgroup2 none /sys/fs/cgroup && ' : '';
    peers.push({
      shown: `\`${name} run\` and an overlay`,
      script: within('true').replace('exec true', `${cgroup2}exec ${name} --root state run --bundle ${name} bench`),
      cwd: place,
    });
  }
  return peers.map((peer) => ({ ...peer, ...('script' in peer ? { cwd: place } : {}) }));
}

function imported(env: NodeJS.ProcessEnv): Peer | Skipped {
  const { status, stderr } = spawnSync('docker', ['import', busyboxArchive(), IMAGE], { env, encoding: 'utf8' });
  if (status !== 0) return { what: '`docker run`', reason: stderr.trim().split('\n')[0] ?? '' };
  return { shown: '`docker run --rm --network none`', script: `docker run --rm --network none ${IMAGE} /bin/true`, env };
}

function podman(words: string): Peer | Skipped {
  if (!findProgram('podman')) return { what: '`podman run`', reason: 'podman is not installed' };
  const { status, stderr } = spawnSync('podman', ['import', busyboxArchive(), IMAGE], { encoding: 'utf8' });
  if (status !== 0) return { what: '`podman run`', reason: stderr.trim().split('\n').at(-1) ?? '' };
  return { shown: '`podman run --rm --network none`', script: `podman ${words}` };
}
