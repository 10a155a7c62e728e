import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ImageStore, shortReference } from '@lamella/image';
import { requiresProgram, requiresRoot, scratch } from '@lamella-test/scratch';
import { type Member, savedArchive, savedImages, tarArchive } from '@lamella-test/tree';
import { expect, test } from 'vitest';

/** Files that compress, and some that do not, so that there are many frames and blocks of every kind. */
const MEMBERS: Member[] = [
  { name: 'd/', type: '5' },
  ...Array.from({ length: 20 }, (_, i): Member => ({ name: `d/${i}`, data: i % 3 ? randomBytes(20_000) : 'text '.repeat(9000) })),
];
const TAR = tarArchive(MEMBERS);

async function contentOf(store: ImageStore, name: string): Promise<string[]> {
  const tree = (await store.resolve(name)).layers[0]?.path ?? '';
  return readdirSync(path.join(tree, 'd')).map((file) => `${file} ${readFileSync(path.join(tree, 'd', file)).toString('hex')}`);
}

test('what zstd writes is read whole, with each of its ways to make frames, and an error when it is cut', { timeout: 120_000 }, async (context) => {
  const zstd = requiresProgram(context, 'zstd');
  await using at = scratch();
  const store = new ImageStore(at.join('store'));
  writeFileSync(at.join('a.tar'), TAR);
  await store.import(at.join('a.tar'), 'plain');
  const whole = await contentOf(store, 'plain');
  expect(whole).toHaveLength(20);
  const halves = [TAR.subarray(0, 70_000), TAR.subarray(70_000)];
  const compress = (options: readonly string[], input: Buffer): Buffer => execFileSync(zstd, ['-c', ...options], { input, maxBuffer: 1 << 28 });
  for (const options of [
    ['-1'],
    ['-19', '--no-check'],
    ['--long=27', '-3'],
    ['--ultra', '-1', '--long=31'],
    ['-T2', '--rsyncable'],
    ['--no-content-size'],
    ['--stream-size', String(TAR.length)],
  ]) {
    const [name] = options
      .join('')
      .replaceAll(/[^\w]+/g, '')
      .toLowerCase()
      .match(/.*/) ?? [''];
    const archives = [...(options[0] === '--stream-size' ? [] : [Buffer.concat(halves.map((half) => compress(options, half)))]), compress(options, TAR)];
    for (const [i, archive] of archives.entries()) {
      writeFileSync(at.join(`${i}.zst`), archive);
      // A window of 2 GiB is more than anybody's memory; that a frame needs no more than it has is said only where its length is known.
      const large = options.includes('--long=31');
      const imported = store.import(at.join(`${i}.zst`), `z${name}${i}`);
      if (large && (await imported.catch((error: { code: string }) => error.code)) === 'ARCHIVE_WINDOW') continue;
      await imported;
      expect(await contentOf(store, `z${name}${i}`)).toEqual(whole);
      truncateSync(at.join(`${i}.zst`), archive.length - 1);
      await expect(store.import(at.join(`${i}.zst`), 'cut')).rejects.toMatchObject({ code: 'TAR_TRUNCATED' });
    }
  }
});

test('layers that skopeo writes as zstd:chunked, with their frames and tables, are read', { timeout: 120_000 }, async (context) => {
  const skopeo = requiresProgram(context, 'skopeo');
  await using at = scratch();
  writeFileSync(at.join('saved.tar'), savedArchive(savedImages([{ layers: [TAR], names: ['docker.io/library/app:v1'] }], 'docker-20')));
  const copied = spawnSync(
    skopeo,
    [
      '--tmpdir',
      at.path,
      'copy',
      '-q',
      '--insecure-policy',
      '--format',
      'oci',
      '--dest-compress',
      '--dest-compress-format',
      'zstd:chunked',
      `docker-archive:${at.join('saved.tar')}:app:v1`,
      `dir:${at.join('chunked')}`,
    ],
    { encoding: 'utf8' },
  );
  expect(copied).toMatchObject({ status: 0 });
  const manifest = JSON.parse(readFileSync(at.join('chunked/manifest.json'), 'utf8')) as { layers: { mediaType: string; digest: string }[] };
  expect(manifest.layers[0]?.mediaType).toMatch(/zstd$/);
  const store = new ImageStore(at.join('store'));
  await store.load(at.join('saved.tar'));
  const whole = await contentOf(store, 'app:v1');
  await using other = scratch();
  const chunked = new ImageStore(other.join('store'));
  await chunked.load(`dir:${at.join('chunked')}`, { name: 'chunked' });
  expect(await contentOf(chunked, 'chunked')).toEqual(whole);
  expect(await chunked.check()).toMatchObject({ problems: [] });
});

test('podman loads and saves what others save, and we load that, in each of its formats', { timeout: 120_000 }, async (context) => {
  requiresRoot(context);
  const podman = requiresProgram(context, 'podman');
  await using at = scratch();
  writeFileSync(at.join('saved.tar'), savedArchive(savedImages([{ layers: [TAR], names: ['docker.io/library/app:v1'] }], 'docker-25')));
  const run = (...args: string[]): string =>
    execFileSync(podman, ['--root', at.join('podman'), '--runroot', at.join('podman-run'), '--storage-driver', 'vfs', ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  // What we synthesise is what others take for Docker's.
  expect(run('load', '-q', '-i', at.join('saved.tar'))).toContain('docker.io/library/app:v1');
  run('tag', 'docker.io/library/app:v1', 'localhost/team/tool:2');
  for (const format of ['docker-archive', 'oci-archive', 'docker-dir', 'oci-dir']) {
    run('save', '-q', '--format', format, '-o', at.join(format), 'localhost/team/tool:2');
    const store = new ImageStore(at.join(`store-${format}`));
    const [added] = await store.load(at.join(format));
    if (format.endsWith('archive')) expect(added?.references.map(shortReference)).toEqual(['localhost/team/tool:2']);
    expect(added?.layers).toBe(1);
  }
  run('save', '-q', '-m', '-o', at.join('multi'), 'docker.io/library/app:v1', 'localhost/team/tool:2');
  const several = await new ImageStore(at.join('store-multi')).load(at.join('multi'));
  expect(several.flatMap(({ references }) => references.map(shortReference)).toSorted()).toEqual(['app:v1', 'localhost/team/tool:2']);
});
