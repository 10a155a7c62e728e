import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { run as runProgram } from '@lamella/syscall';
import { busyboxArchive, mountsBelow, requiresRoot, type ScratchDirectory, scratch } from '@lamella-test/scratch';
import { tarArchive } from '@lamella-test/tree';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Containers, createContainer, ImageStore, type RunOptions, type RunResult, type RunSpec, run, type StoredContainer } from '../index.js';

let at: ScratchDirectory;
let root: string;
beforeAll(async () => {
  at = scratch();
  root = at.join('store');
  await new ImageStore(root).import(busyboxArchive(), 'busybox');
});
afterAll(() => at[Symbol.asyncDispose]());
beforeEach((context) => requiresRoot(context));
afterEach(() => {
  expect(containers()).toEqual([]);
  expect(mountsBelow(at.path)).toEqual([]);
});

const containers = (): string[] =>
  existsSync(path.join(root, 'containers')) ? readdirSync(path.join(root, 'containers')).filter((name) => !name.startsWith('.')) : [];
const sh = (script: string, rest: Partial<RunSpec> = {}, options: RunOptions = {}): Promise<RunResult> =>
  run({ image: 'busybox', root, args: ['sh', '-c', script], ...rest }, options);

test('a command sees the image, changes its own view of it, and nothing is left', async () => {
  const result = await sh('echo new > /new; rm /etc/passwd; cat /new; test ! -e /etc/passwd && echo gone');
  expect(result).toMatchObject({ exitCode: 0, stdout: 'new\ngone', kept: undefined, id: expect.stringMatching(/^[0-9a-f]{12}$/) });
  expect((await sh('cat /etc/passwd; ls /new')).stdout).toContain('root:x:0:0');
});

test('the image may lack every directory that is needed', async () => {
  const busybox = execFileSync('tar', ['-xOf', busyboxArchive(), 'bin/busybox'], { maxBuffer: 1 << 26 });
  await new ImageStore(root).import(Readable.from([tarArchive([{ name: 'busybox', data: busybox, mode: 0o755 }])]), 'bare');
  const result = await run({ image: 'bare', root, args: ['/busybox', 'sh', '-c', '/busybox ls /; /busybox cat /etc/hostname'], hostname: 'bare' });
  expect(String(result.stdout).split('\n')).toEqual(['busybox', 'dev', 'etc', 'proc', 'sys', 'bare']);
  await new ImageStore(root).remove('bare');
});

test('has names of its own without touching the image', async () => {
  const { stdout, id } = await sh('cat /etc/hostname /etc/hosts; ls -A /etc; test -s /etc/resolv.conf && echo resolv', {
    hostname: 'named',
    keep: true,
  });
  expect(stdout).toContain('named\n127.0.0.1\tlocalhost');
  expect(stdout).toContain('resolv');
  expect(readdirSync(path.join(root, 'containers', id, 'upper'))).toEqual([]);
  await (await new Containers(root).get(id)).remove();
});

test('image configuration and spec meet as with Docker', async () => {
  const bare = await sh('env; pwd', { env: { A: 'b' } });
  expect(String(bare.stdout).split('\n')).toEqual(
    expect.arrayContaining(['A=b', 'HOME=/root', expect.stringMatching(/^HOSTNAME=/), expect.stringMatching(/^PATH=.*\/bin/), '/']),
  );
  expect((await sh('id -un; echo $HOME', { user: 'nobody' })).stdout).toBe('nobody\n/home');
  await expect(run({ image: 'busybox', root })).rejects.toMatchObject({ code: 'NO_COMMAND', hint: expect.any(String) });
  expect((await run({ image: 'busybox', root, entrypoint: ['/bin/echo'], args: ['x'] })).stdout).toBe('x');
});

test('keeps what it changed when asked, and only that', async () => {
  const result = await sh('echo x > /tmp/new; rm /etc/group', { keep: true, name: 'keeper' });
  expect(result.kept).toBe(path.join(root, 'containers', result.id, 'upper'));
  expect(readdirSync(path.join(root, 'containers', result.id)).sort()).toEqual(['config.json', 'exit', 'kept', 'layers', 'lock', 'state', 'upper']);
  expect(readFileSync(path.join(result.kept ?? '', 'tmp/new'), 'utf8')).toBe('x\n');
  await sh('true');
  expect(containers()).toEqual([result.id]);
  await expect(sh('true', { name: 'keeper' })).rejects.toMatchObject({ code: 'CONTAINER_EXISTS', hint: expect.stringContaining('lamella rm keeper') });
  await (await new Containers(root).get('keeper')).remove();
});

test.for<[Partial<RunSpec>, string]>([
  [{ image: 'nosuch' }, 'IMAGE_NOT_FOUND'],
  [{ image: 'NO SUCH' }, 'REFERENCE_INVALID'],
  [{ name: '../escape' }, 'NAME_INVALID'],
  [{ user: 'nobody-here' }, 'USER_NOT_FOUND'],
  [{ volumes: [{ source: '/no/such', destination: '/x' }] }, 'VOLUME_INVALID'],
  [{ volumes: [{ source: '/etc', destination: '/' }] }, 'VOLUME_INVALID'],
  [{ volumes: [{ source: '/etc', destination: 'relative' }] }, 'VOLUME_INVALID'],
  [{ hostname: 'x'.repeat(65) }, 'HOSTNAME_INVALID'],
  [{ args: ['/no/such/command'] }, 'COMMAND_NOT_FOUND'],
  [{ args: ['/etc/passwd'] }, 'COMMAND_NOT_EXECUTABLE'],
  [{ volumes: [{ source: '/etc', destination: '/bin/busybox' }] }, 'MOUNT_TARGET_INVALID'],
  [{ workspace: '/no/such' }, 'WORKSPACE_INVALID'],
])('%j is refused with a code and a hint, and leaves nothing', async ([wrong, code]) => {
  await expect(run({ image: 'busybox', root, args: ['true'], ...wrong })).rejects.toMatchObject({ code, hint: expect.stringMatching(/\w/) });
});

test('a container is disposed of while it runs', async () => {
  let pid: number | undefined;
  {
    await using container = await createContainer({ image: 'busybox', root, args: ['sleep', '1000'] });
    pid = await container.started;
    const merged = await container.merged();
    expect(readdirSync(merged ?? '')).toContain('bin');
    expect(containers()).toEqual([container.id]);
    container.result.catch(() => undefined);
  }
  expect(existsSync(`/proc/${pid}`)).toBe(false);
});

test('aborting, before and during a run, leaves nothing', async () => {
  await expect(sh('sleep 100', {}, { cancelSignal: AbortSignal.abort(new Error('early')) })).rejects.toThrow('early');
  await expect(sh('sleep 100', {}, { cancelSignal: AbortSignal.timeout(80) })).rejects.toMatchObject({
    isCanceled: true,
    signal: 'SIGTERM',
    cause: { name: 'TimeoutError' },
  });
});

test('what runs is on an image that cannot be removed meanwhile', async () => {
  await using container = await createContainer({ image: 'busybox', root, args: ['sleep', '1000'] });
  await container.started;
  await expect(new ImageStore(root).remove('busybox')).rejects.toMatchObject({ code: 'IMAGE_IN_USE' });
});

test('fifty at once are fifty of their own', { timeout: 60_000 }, async () => {
  const results = await Promise.all(Array.from({ length: 50 }, (_, i) => sh(`echo ${i} > /mine; cat /mine; hostname`)));
  expect(results.map(({ stdout }) => String(stdout).split('\n')[0])).toEqual(Array.from({ length: 50 }, (_, i) => String(i)));
  expect(new Set(results.map(({ stdout }) => String(stdout).split('\n')[1])).size).toBe(50);
});

test('whoever starts it with a strict umask gets a root that others can enter', async () => {
  const before = process.umask(0o077);
  try {
    expect((await sh('stat -c %a / /etc /etc/hosts; cat /etc/passwd | head -1', { user: '1000' })).stdout).toBe('755\n755\n644\nroot:x:0:0:root:/root:/bin/sh');
  } finally {
    process.umask(before);
  }
});

describe('a workspace', () => {
  test('has its mount on the host while it runs, and its image afterwards', async () => {
    const workspace = at.join('workspace');
    mkdirSync(workspace);
    writeFileSync(path.join(workspace, 'busybox.tar'), readFileSync(busyboxArchive()));
    await using container = await createContainer(
      { image: 'busybox', root, workspace, args: ['sh', '-c', 'echo x > /inside; read wait'] },
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    await container.started;
    while (!existsSync(path.join(workspace, 'merged/inside'))) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(readdirSync(workspace).sort()).toEqual(['busybox', 'busybox.tar', 'merged', 'upper', 'work']);
    expect(mountsBelow(workspace)).toEqual([path.join(workspace, 'merged')]);
    await expect(sh('true', { workspace })).rejects.toMatchObject({ code: 'WORKSPACE_OCCUPIED' });
    container.stdin?.end('\n');
    expect(await container.result).toMatchObject({ exitCode: 0 });
    expect(readdirSync(workspace).sort()).toEqual(['busybox', 'busybox.tar']);
    expect(await sh('ls /inside', { workspace })).toMatchObject({ exitCode: 1 });
  });

  test('never takes away what is not its own', async () => {
    const workspace = at.join('foreign');
    mkdirSync(path.join(workspace, 'upper'), { recursive: true });
    writeFileSync(path.join(workspace, 'upper/precious'), '');
    mkdirSync(path.join(workspace, 'image/bin'), { recursive: true });
    await expect(sh('true', { workspace, image: 'image' })).rejects.toMatchObject({
      code: 'WORKSPACE_OCCUPIED',
      message: expect.stringContaining('upper is there already'),
    });
    expect(existsSync(path.join(workspace, 'upper/precious'))).toBe(true);
    await expect(sh('true', { workspace, image: 'other' })).rejects.toMatchObject({ code: 'WORKSPACE_OCCUPIED' });
    await runProgram([{ op: 'rmtree', dirfd: -100, pathname: path.join(workspace, 'upper') }]);
    await expect(sh('true', { workspace, image: 'other' })).rejects.toMatchObject({ code: 'WORKSPACE_NO_IMAGE' });
    await expect(sh('true', { workspace, image: '../store' })).rejects.toMatchObject({ code: 'WORKSPACE_INVALID' });
  });
});

const stopped = async (container: StoredContainer): Promise<void> => {
  await container.stop({ timeout: 0 });
  await container.remove();
};

test.each([
  ['stopped, and removed', stopped],
  ['removed by force', (container: StoredContainer) => container.remove({ force: true })],
])('one whose end is not written down yet is %s', async (_, act) => {
  const { container } = await new Containers(root).run({ image: 'busybox', args: ['sleep', '0.1'] });
  const { monitor = 0 } = await container.state();
  // It cannot say that its process ended.
  process.kill(monitor, 'SIGSTOP');
  while ((await container.state()).status === 'running') await new Promise((resolve) => setTimeout(resolve, 5));
  const acted = act(container);
  await new Promise((resolve) => setTimeout(resolve, 100));
  process.kill(monitor, 'SIGCONT');
  await acted;
});
