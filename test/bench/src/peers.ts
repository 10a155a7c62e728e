import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { busyboxArchive, dockerDaemon, findProgram, type ScratchDirectory } from '@lamella-test/scratch';

/** A peer that runs one container around `true` each time, or why it cannot be had here. */
export type Peer = { readonly once: () => Promise<void> | void; readonly close: () => Promise<void> } | string;

/**
 * What a user without Lamella would do from Node: mount an overlay, have an OCI runtime run in it,
 * unmount.
 */
export async function overlayAndRuntime(at: ScratchDirectory, name: string, layer: string): Promise<Peer> {
  const runtime = findProgram(name);
  if (!runtime) return `${name} is not installed`;
  const bundle = at.join(`bundle-${name}`);
  for (const directory of ['upper', 'work', 'rootfs', 'state']) mkdirSync(path.join(bundle, directory), { recursive: true });
  execFileSync(runtime, ['spec'], { cwd: bundle });
  const file = path.join(bundle, 'config.json');
  const spec = JSON.parse(readFileSync(file, 'utf8'));
  spec.process = { ...spec.process, terminal: false, args: ['/bin/true'], rlimits: [] };
  // A device filter is a BPF program, for which crun raises a limit that not every machine lets it raise.
  if (spec.linux) spec.linux.resources = {};
  writeFileSync(file, JSON.stringify(spec));
  const execute = promisify(execFile);
  const options = `lowerdir=${layer},upperdir=upper,workdir=work`;
  let count = 0;
  const run = async (): Promise<void> => {
    await execute('mount', ['-t', 'overlay', 'overlay', '-o', options, 'rootfs'], { cwd: bundle });
    try {
      await execute(runtime, ['--root', 'state', 'run', `bench-${count++}`], { cwd: bundle });
    } finally {
      await execute('umount', ['rootfs'], { cwd: bundle });
    }
  };
  try {
    await run();
  } catch (error) {
    return `${name} does not run here: ${
      String((error as { stderr?: string }).stderr ?? error)
        .trim()
        .split('\n')[0]
    }`;
  }
  return { once: run, close: async () => undefined };
}

/** `docker run`, with the running daemon, or with one that this starts. */
export async function dockerRun(at: ScratchDirectory): Promise<Peer> {
  const daemon = await dockerDaemon(at);
  if (typeof daemon === 'string') return daemon;
  const { env, close } = daemon;
  const loaded = spawnSync('docker', ['import', busyboxArchive(), 'lamella-bench'], { env, encoding: 'utf8' });
  if (loaded.status !== 0) {
    await close();
    return `docker does not answer: ${loaded.stderr.trim().split('\n')[0]}`;
  }
  return {
    once: () => void execFileSync('docker', ['run', '--rm', '--network', 'none', 'lamella-bench', '/bin/true'], { env, stdio: 'ignore' }),
    close,
  };
}

/** A script with bubblewrap: an overlay in a mount namespace, and bwrap(1) in it. bwrap mounts overlays itself from version 0.11 on. */
export function bubblewrapScript(at: ScratchDirectory, layer: string): Peer {
  const bwrap = findProgram('bwrap');
  if (!bwrap) return 'bwrap is not installed';
  const place = at.join('bubblewrap');
  for (const name of ['upper', 'work', 'merged']) mkdirSync(path.join(place, name), { recursive: true });
  const script = `set -e
    mount -t overlay overlay -o 'lowerdir=${layer},upperdir=upper,workdir=work' merged
    exec ${bwrap} --unshare-all --die-with-parent --bind merged / --proc /proc --dev /dev /bin/true`;
  const once = (): void => void execFileSync('unshare', ['-m', 'sh', '-c', script], { cwd: place, stdio: ['ignore', 'ignore', 'pipe'] });
  try {
    once();
  } catch (error) {
    return `bwrap does not run here: ${
      String((error as { stderr?: Buffer }).stderr)
        .trim()
        .split('\n')[0]
    }`;
  }
  return { once, close: async () => undefined };
}
