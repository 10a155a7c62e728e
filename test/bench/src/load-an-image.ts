import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createWriteStream, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ImageStore } from '@lamella/image';
import { dockerDaemon, findProgram, mountsBelow, type ScratchDirectory, startRegistry } from '@lamella-test/scratch';
import { type Action, medians } from './measure.js';
import type { Row, Skipped } from './row.js';

const CACHE = path.join(import.meta.dirname, '../../../.lamella/bench');

/** An image of several layers of real software, loaded and pulled into an empty store, against those who can do that, too. */
export async function loadAnImage(
  at: ScratchDirectory,
  { smoke, rounds, where }: { readonly smoke: boolean; readonly rounds: number; readonly where: 'tmpfs' | 'disk' },
): Promise<(Row | Skipped)[]> {
  const image = distributionImage(smoke ? 4e6 : 170e6);
  const size = `${(image.layers.reduce((sum, file) => sum + statSync(file).size, 0) / 1e6).toFixed(0)} MB in ${image.layers.length} layers`;
  const rows: (Row | Skipped)[] = [];
  const store = at.join('store');
  const storage = ['--root', at.join('podman'), '--runroot', at.join('podman-run')];
  const ours: Record<string, Action> = { Load: () => new ImageStore(store).load(image.archive, { name: 'bench' }) };
  const program = findProgram('docker-registry');
  await using registry = program ? await startRegistry(program, at.join('registry')) : undefined;
  if (registry) {
    const name = `${registry.host}/bench:latest`;
    const source = new ImageStore(store);
    await source.load(image.archive, { name });
    await source.push(name);
    ours.Pull = () => new ImageStore(store).pull(name);
  } else rows.push({ what: `Pull ${size}, ${where}`, reason: 'docker-registry is not installed' });

  const limits = where === 'tmpfs' ? { podman: 0.4, skopeo: 0.4, tar: 0.6 } : { podman: 0.8, docker: 0.8 };
  let docker = where === 'disk' ? await dockerDaemon(at) : 'not promised on tmpfs';
  const dockerArchive = at.join('docker.tar');
  if (typeof docker !== 'string') {
    // It does not read OCI archives.
    const source = new ImageStore(store);
    await source.load(image.archive, { name: 'bench' });
    await source.save(['bench'], createWriteStream(dockerArchive));
  }
  const peers: Readonly<Record<string, { readonly name: string; readonly action: Action }>> = {
    podman: {
      name: '`podman load`',
      action: () => execFileSync('podman', [...storage, 'load', '-i', image.archive], { stdio: 'ignore' }),
    },
    docker: {
      name: '`docker load`',
      action: () => execFileSync('docker', ['load', '-i', dockerArchive], { stdio: 'ignore', ...(typeof docker === 'string' ? {} : { env: docker.env }) }),
    },
    skopeo: {
      name: '`skopeo copy … containers-storage:`',
      action: () =>
        execFileSync(
          'skopeo',
          ['copy', `oci-archive:${image.archive}`, `containers-storage:[overlay@${at.join('podman')}+${at.join('podman-run')}]bench:latest`],
          { stdio: 'ignore' },
        ),
    },
    tar: {
      name: '`tar -xzf`, layer after layer',
      action: () => {
        const target = at.join('tar');
        mkdirSync(target, { recursive: true });
        for (const layer of image.layers) execFileSync('tar', ['-xpzf', layer, '-C', target]);
      },
    },
  };
  let aside = 0;
  /**
   * On the disk what was there is only put aside until the end: ext4 gives an inode that was freed within the last
   * minute to nobody, and looks through all of them for each new file, which took half of everybody's time.
   */
  const clear = (directory: string): void => {
    if (where === 'disk' && existsSync(directory)) renameSync(directory, at.join(`aside-${aside++}`));
    else execFileSync('rm', ['-rf', directory]);
  };
  const empty = async (next?: string): Promise<void> => {
    for (const name of ['store', 'podman', 'podman-run', 'tar']) {
      const directory = at.join(name);
      // podman leaves its storage bound onto itself.
      for (const point of mountsBelow(directory).toReversed()) execFileSync('umount', ['-l', point]);
      clear(directory);
    }
    if (next !== 'docker' || typeof docker === 'string') return;
    // A daemon of the machine's own is not ours to move.
    if (!docker.own) spawnSync('docker', ['system', 'prune', '--all', '--force'], { env: docker.env, stdio: 'ignore' });
    else {
      await docker.close();
      clear(at.join('docker-data'));
      docker = await dockerDaemon(at);
      if (typeof docker === 'string') throw new Error(docker);
    }
  };
  try {
    const able: Record<string, Action> = {};
    for (const [key, limit] of Object.entries(limits)) {
      const peer = peers[key];
      if (!peer || limit === undefined) continue;
      const reason = findProgram(key) ? (key === 'docker' && typeof docker === 'string' ? docker : await failure(peer.action)) : `${key} is not installed`;
      if (reason === undefined) able[key] = peer.action;
      else for (const what of Object.keys(ours)) rows.push({ what: `${what} ${size}, ${where}`, reason: `${peer.name}: ${reason}` });
    }
    const times = await medians({ ...ours, ...able }, { rounds, warmup: smoke ? 0 : 1, before: empty });
    for (const what of Object.keys(ours))
      for (const key of Object.keys(able))
        rows.push({
          what: `${what} ${size}, ${where}`,
          ours: times[what] ?? Number.NaN,
          against: peers[key]?.name ?? key,
          theirs: times[key] ?? Number.NaN,
          target: { atMost: limits[key as keyof typeof limits] ?? 1 },
          unit: 'ms',
        });
  } finally {
    await empty();
    if (typeof docker !== 'string') await docker.close();
  }
  return rows;
}

/** Why a peer does not work here, if so. */
async function failure(action: Action): Promise<string | undefined> {
  try {
    await action();
    return undefined;
  } catch (error) {
    return `it does not work here: ${(error as Error).message.split('\n')[0]}`;
  }
}

/** Layers of this machine's own software, as an OCI archive and one by one. */
function distributionImage(bytes: number): { archive: string; layers: string[] } {
  const directory = path.join(CACHE, `image-${bytes / 1e6}`);
  const archive = path.join(directory, 'image.tar');
  const layers = (): string[] =>
    readdirSync(directory)
      .filter((name) => name.endsWith('.tar.gz'))
      .sort()
      .map((name) => path.join(directory, name));
  if (existsSync(archive)) return { archive, layers: layers() };
  const partial = `${directory}.partial`;
  rmSync(partial, { recursive: true, force: true });
  const blobs = path.join(partial, 'blobs/sha256');
  mkdirSync(blobs, { recursive: true });
  const sha256 = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex');
  const put = (content: Buffer, mediaType: string): { mediaType: string; digest: string; size: number } => {
    writeFileSync(path.join(blobs, sha256(content)), content);
    return { mediaType, digest: `sha256:${sha256(content)}`, size: content.length };
  };
  const parts = [
    ['/usr/bin', '/usr/share/perl', '/usr/share/doc'],
    ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/share/zoneinfo'],
    ['/usr/lib/gcc', '/usr/lib/llvm-14', '/usr/include'],
    ['/usr/sbin', '/usr/share/locale', '/etc'],
  ];
  const diffIDs: string[] = [];
  const descriptors = parts.map((directories, i) => {
    const plain = path.join(partial, `layer-${i}.tar`);
    execFileSync('tar', ['-cf', plain, '--absolute-names', '--transform', 's,^/,,', '--files-from', '-'], {
      input: filesIn(directories, bytes).join('\n'),
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    const content = readFileSync(plain);
    diffIDs.push(`sha256:${sha256(content)}`);
    execFileSync('gzip', ['-f', plain]);
    const compressed = readFileSync(`${plain}.gz`);
    return put(compressed, 'application/vnd.oci.image.layer.v1.tar+gzip');
  });
  const json = (document: unknown): Buffer => Buffer.from(JSON.stringify(document));
  const config = put(
    json({ architecture: process.arch === 'x64' ? 'amd64' : process.arch, os: 'linux', config: {}, rootfs: { type: 'layers', diff_ids: diffIDs } }),
    'application/vnd.oci.image.config.v1+json',
  );
  const manifest = put(
    json({ schemaVersion: 2, mediaType: 'application/vnd.oci.image.manifest.v1+json', config, layers: descriptors }),
    'application/vnd.oci.image.manifest.v1+json',
  );
  writeFileSync(path.join(partial, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(
    path.join(partial, 'index.json'),
    json({ schemaVersion: 2, manifests: [{ ...manifest, annotations: { 'org.opencontainers.image.ref.name': 'latest' } }] }),
  );
  execFileSync('tar', ['-cf', path.join(partial, 'image.tar'), '-C', partial, 'oci-layout', 'index.json', 'blobs']);
  rmSync(path.join(partial, 'blobs'), { recursive: true });
  renameSync(partial, directory);
  return { archive, layers: layers() };
}

/** Files below directories, until there are so many bytes. */
function filesIn(directories: readonly string[], bytes: number): string[] {
  const found = execFileSync('find', [...directories.filter(existsSync), '-xdev', '-type', 'f', '-printf', '%s %p\\n'], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  let sum = 0;
  return found.split('\n').flatMap((line) => {
    const space = line.indexOf(' ');
    if (space < 0 || sum > bytes) return [];
    sum += Number(line.slice(0, space));
    return [line.slice(space + 1)];
  });
}
