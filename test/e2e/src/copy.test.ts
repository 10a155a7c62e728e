import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { Containers, type StoredContainer } from '@lamella/engine';
import { allInTime, busyboxArchive, hasOverlayUppers, scratch, skip } from '@lamella-test/scratch';
import { type Member, tarArchive } from '@lamella-test/tree';
import { beforeEach, describe, expect, test } from 'vitest';
import { CLI, cli } from './cli.js';
import { requiresContainers } from './rights.js';
import { fails, succeeds, USERS } from './test-user.js';
import { useUser } from './user-fixture.js';

describe.each(Object.keys(USERS) as (keyof typeof USERS)[])('copies of %s', (kind) => {
  const user = useUser(kind);

  beforeEach((context) => {
    // In a quick run those of two kinds of users are enough: they differ in how ids are mapped.
    if (kind.includes('subuid') && !process.env.LAMELLA_LONG) skip(context, 'a user with ids in /etc/subuid copies in the long form: LAMELLA_LONG=1');
  });

  test('go to what the container sees, and come from there, whether it runs or not', { timeout: 240_000 }, () => {
    const { home } = user;
    user.run('sh', [
      '-c',
      `cd ${home} && mkdir vol ro ov && echo given >vol/f && echo given >ro/f && echo given >ov/f && echo single >single && echo new >new`,
    ]);
    const volumes = ['-v', `${home}/vol:/data/vol`, '-v', `${home}/ro:/ro:ro`, '-v', `${home}/single:/single`, '--tmpfs', '/mem', '-v', '/own'];
    // Where overlayfs can have no upper a volume has an overlay by fuse-overlayfs, with the same rules.
    const overlay = hasOverlayUppers() ? ['-v', `${home}/ov:/ov:overlay`] : [];
    succeeds(user, ['create', '--name', 'c', '--read-only', ...volumes, ...overlay, 'busybox', 'sleep', '1000']);
    const copies = (running: boolean): void => {
      const places = ['data/vol/new', 'own/new', ...(overlay.length ? ['ov/new'] : [])];
      for (const place of places) succeeds(user, ['cp', `${home}/new`, `c:/${place}`]);
      if (running) succeeds(user, ['cp', `${home}/new`, 'c:/mem/new']);
      expect(fails(user, ['cp', `${home}/new`, 'c:/ro/new'])).toMatch(
        /nothing can be written to \/ro in the container: the volume .*\/ro is read-only there\n {2}Copy to/,
      );
      expect(fails(user, ['cp', `${home}/new`, 'c:/new'])).toMatch(/its root is read-only/);
      // A whole directory includes the mounts below it, except those of virtual filesystems.
      succeeds(user, ['cp', 'c:/', `${home}/all`]);
      const seen = (...names: string[]): string[] => names.map((name) => readFileSync(`${home}/all/${name}`, 'utf8'));
      expect(seen('data/vol/f', 'ro/f', 'single', ...places)).toEqual(['given\n', 'given\n', 'single\n', ...places.map(() => 'new\n')]);
      expect(seen('etc/hosts')[0]).toMatch(/^127\.0\.0\.1/);
      expect(['proc', 'sys', 'dev'].flatMap((name) => readdirSync(`${home}/all/${name}`))).toEqual([]);
      expect([readdirSync(`${home}/vol`), readdirSync(`${home}/ov`), readdirSync(`${home}/ro`)]).toEqual([['f', 'new'], ['f'], ['f']]);
      rmSync(`${home}/vol/new`);
      if (running) expect(seen('mem/new')).toEqual(['new\n']);
      else {
        for (const place of kind === 'root' ? ['/mem', '/dev/shm', '/proc'] : ['/mem'])
          expect(fails(user, ['cp', `${home}/new`, `c:${place}/new`])).toMatch(/while it does not run|at each start/);
        expect(fails(user, ['cp', 'c:/mem/x', home])).toMatch(/is a tmpfs, which is empty while it does not run\n {2}Start the container first/);
      }
      user.run('rm', ['-rf', `${home}/all`]);
    };
    copies(false);
    if (kind !== 'root' && !process.env.LAMELLA_LONG) return;
    succeeds(user, ['start', 'c']);
    copies(true);
    // Of files of the kernel's all is copied, whatever they say of their size; what cannot be read is an error.
    for (const file of ['/proc/version', '/sys/kernel/mm/transparent_hugepage/enabled']) {
      succeeds(user, ['cp', `c:${file}`, `${home}/made-up`]);
      expect(readFileSync(`${home}/made-up`, 'utf8')).toBe(readFileSync(file, 'utf8'));
    }
    expect(fails(user, ['cp', 'c:/proc/1/mem', `${home}/mem`])).toMatch(/\/proc\/1\/mem in the container cannot be read: E/);
    // A view of the host has as many overlays as the host has filesystems, and as an ordinary user needs to write where others own the directory.
    const elsewhere = kind === 'root' ? '/etc/lamella-tried' : '/var/tmp/lamella-tried';
    const tried = user.lamella(['try', '-n', 'sh', '-c', `echo tried >${home}/tried; echo tried >${elsewhere}`]);
    expect(tried.status).toBe(0);
    const id = tried.stderr.trim().split('\n').at(-1) ?? '';
    for (const file of [`${home}/tried`, elsewhere]) {
      succeeds(user, ['cp', `${id}:${file}`, `${home}/made-up`]);
      expect(readFileSync(`${home}/made-up`, 'utf8')).toBe('tried\n');
    }
    succeeds(user, ['cp', `${home}/made-up`, `${id}:${home}/copied`]);
    expect(readdirSync(home)).not.toContain('copied');
    expect(succeeds(user, ['changes', id])).toContain(`${home}/copied`);
  });
});

describe('a container cannot lead a copy', () => {
  interface CopyFlags {
    readonly archive: boolean;
    readonly followLink: boolean;
  }
  type Copy = (container: StoredContainer, source: string, destination: string, flags: CopyFlags) => Promise<void>;
  const FLAGS = { archive: false, followLink: false };
  const load = async (name: string): Promise<Record<string, Copy>> =>
    (await import(path.join(path.dirname(CLI), '../dist/copy', name))) as Record<string, Copy>;
  const ROUNDS = process.env.LAMELLA_LONG ? 1000 : 8;

  beforeEach((context) => requiresContainers(context));

  test('out of the place that was named, or to what was not, while it exchanges directories for links', { timeout: 1_200_000 }, async () => {
    await using at = scratch();
    const [trap, shared] = [at.join('trap'), at.join('shared')];
    for (const each of [`${trap}/sub`, `${shared}/at/sub`, at.join('from')]) mkdirSync(each, { recursive: true });
    for (const each of [`${trap}/secret`, `${trap}/sub/secret`]) writeFileSync(each, 'what the trap has');
    for (const each of [`${shared}/at/open`, `${shared}/at/sub/open`]) writeFileSync(each, 'open');
    expect(cli(at.join('store'))(['import', busyboxArchive(), 'busybox'])).toMatchObject({ status: 0 });
    // The links lead nowhere inside, and into the trap on the host. So do those of the container's own tree.
    // What copies put there meanwhile makes way, so that the race goes on.
    const swap = `swap() { rm -rf "$1.real"; mv "$1" "$1.real"; ln -s "$2" "$1"; rm -rf "$1"; mv "$1.real" "$1"; mkdir -p "$1"; echo open >"$1/file"; }
      while :; do swap /shared/at ${trap}; swap /shared/at/sub ${trap}/sub; swap /tree ${trap}; swap /tree/sub ${trap}; done`;
    const { container } = await new Containers(at.join('store')).run({
      image: 'busybox',
      args: ['sh', '-c', swap],
      volumes: [{ source: shared, destination: '/shared' }],
    });
    try {
      const { copyFromContainer } = await load('copy-out.js');
      const { copyToContainer } = await load('copy-in.js');
      if (!copyFromContainer || !copyToContainer) throw new TypeError('the functions of cp have other names');
      const before = readdirSync(trap, { recursive: true }).toSorted();
      let done = 0;
      const attempt = async (copy: Promise<void>): Promise<void> => {
        try {
          await copy;
          done++;
        } catch (error) {
          // It lost the race, and failed with this error.
          expect(error).toMatchObject({ code: expect.any(String), hint: expect.stringMatching(/./) });
        }
      };
      for (const _ of allInTime(Array.from({ length: ROUNDS }))) {
        await attempt(copyFromContainer(container, '/tree/.', `${shared}/at`, FLAGS));
        await attempt(copyFromContainer(container, '/tree/sub/file', `${shared}/at/sub`, FLAGS));
        await attempt(copyFromContainer(container, '/tree', at.join('from'), FLAGS));
        await attempt(copyToContainer(container, `${shared}/at/.`, '/tmp', FLAGS));
        await attempt(copyToContainer(container, `${shared}/at/sub`, '/tree', FLAGS));
      }
      expect(done).toBeGreaterThan(0);
      expect(readdirSync(trap, { recursive: true }).toSorted()).toEqual(before);
      for (const each of ['secret', 'sub/secret']) expect(readFileSync(path.join(trap, each), 'utf8')).toBe('what the trap has');
      await container.stop({ timeout: 0 });
      const got: Buffer[] = [];
      for await (const chunk of await container.copyOut('/')) got.push(chunk as Buffer);
      expect(Buffer.concat(got).includes('what the trap has')).toBe(false);
    } finally {
      await container.remove({ force: true });
    }
  });

  test('through a link in a directory that it can write to, unless that leads to the same', async () => {
    await using at = scratch();
    const shared = at.join('shared');
    mkdirSync(`${shared}/dir`, { recursive: true });
    mkdirSync(at.join('outside'));
    writeFileSync(at.join('outside/secret'), 'secret');
    symlinkSync(at.join('outside'), `${shared}/out`);
    symlinkSync('dir', `${shared}/in`);
    // A link of another user, on the way to the shared directory.
    symlinkSync(shared, at.join('mine'));
    expect(cli(at.join('store'))(['import', busyboxArchive(), 'busybox'])).toMatchObject({ status: 0 });
    const containers = new Containers(at.join('store'));
    const container = await containers.create({ image: 'busybox', volumes: [{ source: at.join('mine'), destination: '/shared' }] });
    const { copyFromContainer } = await load('copy-out.js');
    const { copyToContainer } = await load('copy-in.js');
    const theirs = { message: expect.stringContaining('refusing to follow a symbolic link') };
    await expect(copyFromContainer?.(container, '/etc/passwd', `${shared}/out`, FLAGS)).rejects.toMatchObject(theirs);
    await expect(copyFromContainer?.(container, '/etc/passwd', `${at.join('mine')}/out/new`, FLAGS)).rejects.toMatchObject(theirs);
    await expect(copyToContainer?.(container, `${shared}/out/secret`, '/tmp', FLAGS)).rejects.toMatchObject(theirs);
    await copyFromContainer?.(container, '/bin/true', `${at.join('mine')}/in`, FLAGS);
    expect([readdirSync(at.join('outside')), readdirSync(`${shared}/dir`)]).toEqual([['secret'], ['true']]);
    await container.remove();
  });

  test('a copy into a container goes through links as the container does, and never out of it', async () => {
    await using at = scratch();
    expect(cli(at.join('store'))(['import', busyboxArchive(), 'busybox'])).toMatchObject({ status: 0 });
    const containers = new Containers(at.join('store'));
    const container = await containers.create({ image: 'busybox', args: ['true'] });
    const tar = async (...members: Member[]): Promise<void> => container.copyIn(Readable.from([tarArchive(members)]), '/tmp');
    await tar({ name: 'abs', type: '2', linkname: '/etc' }, { name: 'abs/through', data: 'x' }, { name: 'up', type: '2', linkname: '../../../../../etc' });
    await tar({ name: 'up/again', data: 'y' });
    expect([await container.stat('/etc/through'), await container.stat('/etc/again')]).toMatchObject([{ type: 'file' }, { type: 'file' }]);
    await expect(tar({ name: 'abs/', type: '5' })).rejects.toMatchObject({ code: 'COPY_FAILED', message: expect.stringContaining('ENOTDIR') });
    await expect(tar({ name: '../../etc/escaped', data: 'z' })).rejects.toMatchObject({ code: 'COPY_FAILED' });
    await expect(tar({ name: 'kept', data: 'k' }, { name: 'kept/not', data: 'z' })).rejects.toMatchObject({
      hint: expect.stringContaining('What was copied before stays.'),
    });
    expect(await container.stat('/tmp/kept')).toMatchObject({ type: 'file', size: 1 });
    await container.remove();
  });

  test('a copy into a container goes where links with .. lead behind other links', async () => {
    await using at = scratch();
    expect(cli(at.join('store'))(['import', busyboxArchive(), 'busybox'])).toMatchObject({ status: 0 });
    const container = await new Containers(at.join('store')).create({ image: 'busybox', args: ['true'] });
    const tree: Member[] = [
      ...['var', 'var/target', 'opt2', 'opt2/deep', 'opt2/target'].map((name): Member => ({ name, type: '5' })),
      { name: 'var/lnk', type: '2', linkname: '../opt2/deep' },
      { name: 'opt2/deep/out', type: '2', linkname: '../target' },
      { name: 'opt2/deep/file', type: '2', linkname: '../target/named' },
    ];
    await container.copyIn(Readable.from([tarArchive(tree)]), '/');
    const { copyToContainer } = await load('copy-in.js');
    writeFileSync(at.join('f'), 'f');
    mkdirSync(at.join('d'));
    await copyToContainer?.(container, at.join('f'), '/var/lnk/out', FLAGS);
    await copyToContainer?.(container, at.join('d'), '/var/lnk/out/', FLAGS);
    // Where nothing is, and where a file is.
    for (let i = 0; i < 2; i++) await copyToContainer?.(container, at.join('f'), '/var/lnk/file', FLAGS);
    for (const name of ['f', 'd', 'named']) {
      expect(await container.stat(`/opt2/target/${name}`)).toMatchObject({ type: name === 'd' ? 'directory' : 'file' });
      expect(await container.stat(`/var/target/${name}`)).toBeUndefined();
    }
    await container.remove();
  });
});
