import { execFileSync, spawnSync } from 'node:child_process';
import { createWriteStream, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ImageStore } from '@lamella/image';
import { mountOverlay } from '@lamella/overlay';
import { dockerDaemon, requiresProgram, requiresRoot, type ScratchDirectory, scratch, skip } from '@lamella-test/scratch';
import { describeTree, type TreeEntry, treeLines } from '@lamella-test/tree';
import { afterAll, beforeAll, expect, test } from 'vitest';

/**
 * An image as distributions are: a Debian by mmdebstrap, a layer of a package's installation, one of
 * deletions and replacements, one of everything a file can be. Layers are written by umoci's repack.
 */
let at: ScratchDirectory;
let missing: string | undefined;

beforeAll(async () => {
  at = scratch('tmpfs');
  if (process.geteuid?.() !== 0) missing = 'it needs root';
  for (const program of ['umoci', 'mmdebstrap']) if (spawnSync(program, ['--version'], { stdio: 'ignore' }).error) missing ??= `${program} is not installed`;
  if (missing) return;
  missing = buildImage(at);
}, 400_000);

afterAll(async () => {
  await at[Symbol.asyncDispose]();
}, 60_000);

/** @returns why it could not be built: a distribution needs a mirror */
function buildImage({ join }: ScratchDirectory): string | undefined {
  const execute = (command: string, ...args: string[]): void => void execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' });
  const base = spawnSync('mmdebstrap', ['--variant=apt', '--mode=root', 'bookworm', join('base.tar')], { encoding: 'utf8' });
  if (base.status !== 0) return `mmdebstrap fails: ${base.stderr.trim().split('\n').at(-1)}`;
  execute('umoci', 'init', '--layout', join('layout'));
  execute('umoci', 'new', '--image', `${join('layout')}:image`);
  const rootfs = join('bundle/rootfs');
  const layer = (change: () => void): void => {
    execute('rm', '-rf', join('bundle'));
    execute('umoci', 'unpack', '--image', `${join('layout')}:image`, join('bundle'));
    change();
    execute('umoci', 'repack', '--image', `${join('layout')}:image`, join('bundle'));
  };
  const inside = (script: string): void => execute('chroot', rootfs, '/bin/sh', '-ec', script);
  layer(() => execute('tar', '-xpf', join('base.tar'), '-C', rootfs, '--xattrs', '--xattrs-include=*', '--numeric-owner'));
  layer(() => {
    // ping has a file capability, passwd set-user-id programs, dpkg's books are written anew.
    execute('cp', '/etc/resolv.conf', `${rootfs}/etc/resolv.conf`);
    inside('apt-get update >/dev/null; apt-get install -y --no-install-recommends iputils-ping libcap2-bin >/dev/null');
  });
  layer(() => {
    inside(`
      rm -rf /usr/share/locale /var/lib/apt/lists /usr/share/doc/apt
      rm -rf /usr/share/zoneinfo; ln -s ../lib /usr/share/zoneinfo
      rm -rf /var/cache/debconf; mkdir -m 700 /var/cache/debconf; echo new >/var/cache/debconf/only
      rm /etc/hostname /etc/fstab 2>/dev/null || true; mkdir /etc/hostname
      mv /usr/share/perl5 /usr/share/perl-moved
      rm -rf /media; echo now a file >/media
      chmod 1770 /srv; chown 12:34 /srv; touch -d @1.123456789 /srv
    `);
  });
  layer(() => {
    const deep = Array.from({ length: 20 }, (_, i) => `${i}-${'d'.repeat(100)}`).join('/');
    mkdirSync(path.join(rootfs, 'odd'), { recursive: true });
    inside(`
      cd /odd
      mknod disk b 8 0; mknod null c 1 3; mkfifo fifo; chmod 640 fifo
      truncate -s 9M sparse; printf x | dd of=sparse bs=1 seek=5000000 conv=notrunc 2>/dev/null
      cp /bin/true suid; chmod 4711 suid; cp /bin/true capable; setcap cap_net_raw,cap_net_bind_service+ep capable
      echo one >one; ln one two; ln one three; ln -s nowhere dangling; ln -s /etc/passwd absolute
      : >'a name with spaces'; : >"$(printf 'new\\nline')"; : >"$(printf 'byte\\377')"; : >'ünïcode'
      chown 4242:2424 one; chown -h 7:8 dangling; touch -h -d @12345.5 dangling
      echo long >$(printf 'n%.0s' $(seq 255))
    `);
    // Too long for one system call: one part after the other.
    execFileSync('sh', ['-ec', `IFS=/; for part in $1; do mkdir "$part"; cd "$part"; done; echo deep >file`, 'sh', deep], { cwd: path.join(rootfs, 'odd') });
    writeFileSync(path.join(rootfs, 'etc/motd'), 'changed\n');
  });
  execute('umoci', 'config', '--image', `${join('layout')}:image`, '--config.cmd', '/bin/sh');
  return undefined;
}

/** The image as it is mounted, and how it is described. */
async function ours(store: string): Promise<Map<string, TreeEntry>> {
  const images = new ImageStore(store);
  await images.load(`oci:${at.join('layout')}:image`, { name: 'image' });
  const { layers } = await images.resolve('image');
  mkdirSync(at.join('merged'), { recursive: true });
  await using mounted = await mountOverlay({ lowerdirs: layers.map((layer) => layer.path), merged: at.join('merged') });
  // Awaited: what is only returned would outlive the mount.
  return await describeTree(mounted.path);
}

test('a distribution looks as umoci unpacks it', { timeout: 200_000 }, async (context) => {
  if (missing) skip(context, missing);
  const mine = await ours(at.join('store'));
  execFileSync('rm', ['-rf', at.join('bundle')]);
  execFileSync('umoci', ['unpack', '--image', `${at.join('layout')}:image`, at.join('bundle')], { stdio: 'pipe' });
  const theirs = await describeTree(at.join('bundle/rootfs'));
  expect(mine.size).toBeGreaterThan(4000);
  // No layer lists the root: it is as old as its unpacking.
  for (const tree of [mine, theirs]) tree.delete('.');
  expect(differences(mine, theirs)).toEqual([]);
  const odd = (name: string): TreeEntry | undefined => mine.get(`odd/${name}`);
  expect(odd('capable')?.xattrs.join()).toContain('security.capability=');
  expect(odd('disk')?.type).toBe('block 8:0');
  expect(odd('sparse')).toMatchObject({ size: 9 << 20 });
  expect(odd('two')?.sameAs).toBe('odd/one');
  expect(mine.has('usr/share/locale')).toBe(false);
});

test('a distribution looks as Docker shows it, loaded from what we save', { timeout: 300_000 }, async (context) => {
  requiresRoot(context);
  requiresProgram(context, 'docker');
  if (missing) skip(context, missing);
  const daemon = await dockerDaemon(at);
  if (typeof daemon === 'string') skip(context, daemon);
  try {
    const mine = await ours(at.join('store'));
    const archive = createWriteStream(at.join('saved.tar'));
    await new ImageStore(at.join('store')).save(['image'], archive, 'docker-archive');
    const docker = (...args: string[]): string => execFileSync('docker', args, { env: daemon.env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
    const loadedAt = Math.floor(Date.now() / 1000);
    docker('load', '-i', at.join('saved.tar'));
    const container = docker('create', 'image:latest', '/bin/sh').trim();
    mkdirSync(at.join('docker'));
    execFileSync(
      'sh',
      [
        '-c',
        `docker export ${container} | tar -xpf - -C "$1" --xattrs --xattrs-include='*' --numeric-owner --delay-directory-restore`,
        'sh',
        at.join('docker'),
      ],
      {
        env: daemon.env,
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    docker('rm', container);
    docker('rmi', 'image:latest');
    const theirs = await describeTree(at.join('docker'));
    // Docker's own mount points; an export is a tar without holes and parts of a second.
    const own = ['.', '.dockerenv', 'dev', 'etc', 'proc', 'sys', 'etc/hosts', 'etc/resolv.conf', 'etc/hostname', 'etc/mtab'];
    // A directory that a layer needs and does not list becomes as young as the unpacking with Docker.
    const touched = new Set([...theirs].flatMap(([name, entry]) => (entry.type === 'directory' && Number(entry.mtime) >= loadedAt ? [name] : [])));
    expect(touched.size).toBeLessThan(20);
    const comparable = (tree: Map<string, TreeEntry>): Map<string, TreeEntry> =>
      new Map(
        [...tree]
          .filter(([name]) => !own.includes(name) && !/^(?:dev|etc\/hostname)\//.test(name))
          .map(([name, entry]) => [name, { ...entry, sparse: false, mtime: touched.has(name) ? '' : entry.mtime.replace(/\..*/, '') }]),
      );
    expect(differences(comparable(mine), comparable(theirs))).toEqual([]);
  } finally {
    await daemon.close();
  }
});

/** Of thousands of equal lines, those that are not. */
function differences(mine: ReadonlyMap<string, TreeEntry>, theirs: ReadonlyMap<string, TreeEntry>): string[] {
  const [a, b] = [new Set(treeLines(mine)), new Set(treeLines(theirs))];
  return [
    ...[...a].filter((line) => !b.has(line)).map((line) => `ours:   ${line}`),
    ...[...b].filter((line) => !a.has(line)).map((line) => `theirs: ${line}`),
  ].slice(0, 40);
}
