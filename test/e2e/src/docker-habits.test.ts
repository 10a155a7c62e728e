import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { Containers, ImageStore } from '@lamella/engine';
import { busyboxArchive, requiresRoot, type ScratchDirectory, scratch } from '@lamella-test/scratch';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { cli, type Outcome } from './cli.js';

let at: ScratchDirectory;
let lamella: (args: readonly string[]) => Outcome;
let containers: Containers;

beforeAll(async () => {
  at = scratch();
  lamella = cli(at.join('store'));
  containers = new Containers(at.join('store'));
  await new ImageStore(at.join('store')).import(busyboxArchive(), 'busybox');
});
beforeEach((context) => requiresRoot(context));
afterAll(async () => {
  for (const { id } of await containers.list()) await (await containers.get(id)).remove({ force: true });
  await at[Symbol.asyncDispose]();
});

const said = (...args: string[]): string => {
  const { status, stdout, stderr } = lamella(args);
  expect({ args, status, stderr }).toEqual({ args, status: 0, stderr: '' });
  return stdout.trim();
};
const create = async (spec: Partial<Parameters<Containers['create']>[0]> = {}): Promise<string> =>
  (await containers.create({ image: 'busybox', args: ['sleep', '1000'], ...spec })).id;

test('every container has a name of its own, by which it is found, until it is gone', async () => {
  const ids = [await create(), await create(), await create()];
  const names = new Map((await containers.list()).map(({ id, name }) => [id, name]));
  const own = ids.map((id) => names.get(id) ?? '');
  for (const [i, name] of own.entries()) {
    expect(name).toMatch(/^[a-z]+_[a-z]+\d*$/);
    expect((await containers.get(name)).id).toBe(ids[i]);
  }
  expect(new Set(own).size).toBe(3);
  const [first = '', second = '', third = ''] = own;
  await expect(create({ name: first })).rejects.toMatchObject({ code: 'CONTAINER_EXISTS' });
  await expect((await containers.get(second)).rename(first)).rejects.toMatchObject({ code: 'CONTAINER_EXISTS' });
  await (await containers.get(second)).rename('renamed');
  expect(await create({ name: second })).not.toBe(ids[1]);
  expect((await containers.get('renamed')).id).toBe(ids[1]);
  const [fork] = await (await containers.get(third)).fork();
  expect((await fork?.state())?.name).toMatch(/^[a-z]+_[a-z]+\d*$/);
  // A container in the foreground has a name, too. The name goes with it.
  const script = 'while [ ! -e /end ]; do sleep 0.02; done';
  const { container } = await containers.run({ image: 'busybox', args: ['sh', '-c', script], remove: true });
  const { name = '' } = await container.state();
  const over = container.wait();
  await (await container.exec({ args: ['touch', '/end'] })).result;
  await over;
  await expect(containers.get(name)).rejects.toMatchObject({ code: 'CONTAINER_NOT_FOUND' });
  expect(await create({ name })).toMatch(/./);
});

test('filters choose as with Docker', async () => {
  const begun = await create({ name: 'f-web-1', labels: { app: 'web', tier: 'front' }, volumes: [{ source: at.path, destination: '/data' }] });
  const run = await containers.run({ image: 'busybox:latest', name: 'f-web-2', labels: { app: 'web' }, args: ['sleep', '1000'] });
  const last = await create({ name: 'f-db', network: 'host', labels: { app: 'db' } });
  const { digest = '' } = run.container.config.lowers;
  const names = (...filters: string[]): string =>
    said('ps', '-a', '--format', '{{.Names}}', '--filter', 'name=^f-', ...filters.flatMap((each) => ['-f', each]))
      .split('\n')
      .toSorted()
      .join(' ');
  for (const [filters, expected] of [
    [['name=web'], 'f-db f-web-1 f-web-2'],
    [['label=app=web'], 'f-web-1 f-web-2'],
    [['label=app=web', 'label=tier'], 'f-web-1'],
    [['status=running', 'status=paused'], 'f-web-2'],
    [[`id=${begun.slice(0, 8)}`, `id=${last}`], 'f-db f-web-1'],
    [['network=host'], 'f-db'],
    [['volume=/data'], 'f-web-1'],
    [[`volume=${at.path}`], 'f-web-1'],
    [['before=f-web-2'], 'f-web-1'],
    [[`since=${begun}`], 'f-db f-web-2'],
    [['ancestor=busybox'], 'f-db f-web-1 f-web-2'],
    [['ancestor=busybox:latest', 'status=created'], 'f-db f-web-1'],
    [[`ancestor=${digest}`], 'f-db f-web-1 f-web-2'],
    [[`ancestor=${digest.slice(7, 19)}`], 'f-db f-web-1 f-web-2'],
    [['ancestor=other'], ''],
    [['health=none'], 'f-db f-web-1 f-web-2'],
    [['exited=0'], ''],
    [['publish=80'], ''],
  ] as const)
    expect([filters, names(...filters)]).toEqual([filters, expected]);
  expect(said('ps', '-q', '--filter', 'name=^f-web-[0-9]$')).toBe(run.container.id);
  for (const wrong of ['foo=bar', 'name', 'status=up', 'exited=x', 'before=nobody', 'name=(', 'health=well', 'publish=x'])
    expect([wrong, lamella(['ps', '--filter', wrong]).status]).toEqual([wrong, 125]);
  for (const wrong of [
    ['--format', '{{.Nmae}}'],
    ['--format', '{{nmae .ID}}'],
    ['--format', 'table {{.Nmae}}'],
    ['-n', 'x'],
  ])
    expect(lamella(['ps', ...wrong]).status).toBe(125);
  // A template receives all that it uses.
  expect(said('ps', '-a', '--filter', 'name=f-web-2', '--format', '{{.Size}}')).toBe('0 B');
  expect(said('images', '--format', '{{.Digest}}')).toBe(digest);
  expect(said('ps', '-l', '--format', 'json')).toMatch(/"Names":"f-db"/);
});

test('a restart that could not start again does not stop; what it says can be typed', async () => {
  const file = at.join("it's a file");
  writeFileSync(file, 'one');
  const { container } = await containers.run({ image: 'busybox', name: 'mover', args: ['sleep', '1000'], volumes: [{ source: file, destination: '/file' }] });
  writeFileSync(at.join('new'), 'two');
  renameSync(at.join('new'), file);
  const { status, stderr } = lamella(['restart', 'mover']);
  expect([status, stderr]).toEqual([1, expect.stringContaining(`lamella start --accept-source '${file.replace("'", "'\\''")}' mover`)]);
  expect((await container.state()).status).toBe('running');
  expect(said('restart', '-t', '0', '--accept-source', file, 'mover')).toBe('mover');
  expect(said('exec', 'mover', 'cat', '/file')).toBe('two');
});

test('of several containers those that are there are done', async () => {
  const ids = [await create(), await create()];
  const { status, stdout, stderr } = lamella(['rm', ids[0] ?? '', 'nobody', ids[1] ?? '']);
  expect([status, stdout.trim().split('\n').toSorted(), stderr]).toEqual([1, ids.toSorted(), expect.stringContaining("there is no container 'nobody'")]);
});

test('what happens to a container that was renamed is told by its new name', async () => {
  const { container } = await containers.run({ image: 'busybox', name: 'before', args: ['sleep', '1000'] });
  await container.rename('after');
  await container.kill();
  expect((await container.state()).status).toBe('exited');
  const events = said(
    'events',
    '--since',
    '10m',
    '--until',
    '0s',
    '--filter',
    `container=${container.id}`,
    '--format',
    '{{.Action}} {{.Actor.Attributes.name}}',
  );
  expect(events.split('\n').toSorted()).toEqual(['create before', 'die after', 'kill after', 'rename after', 'start before']);
});

test('a volume of an image that stays the filesystem of the kernel is told of once', async () => {
  const id = await create({ name: 'base' });
  said('commit', '-c', 'VOLUME ["/proc/x", "/data"]', id, 'volumes');
  const { stderr } = lamella(['create', '--name', 'told', 'volumes', 'true']);
  expect(stderr).toBe('lamella: note: the image calls /proc/x a volume, which stays what the kernel shows there\n');
  expect(said('start', 'told')).toBe('told');
});

test('a log has a bound', async () => {
  expect(said('inspect', '-f', '{{json .HostConfig.LogConfig.Config}}', await create())).toBe('{"max-size":"20971520","max-file":"5"}');
  expect(said('inspect', '-f', '{{json .HostConfig.LogConfig.Config}}', said('create', '--log-opt', 'max-size=-1', 'busybox', 'true'))).toBe(
    '{"max-size":"-1","max-file":"1"}',
  );
});

test.each([
  [['run', '--dns', '1.1.1.1', 'busybox'], /^lamella: unknown flag: --dns\n {2}.*resolv\.conf.*\n {2}See lamella run --help\.\n$/],
  [['ps', '-z'], /^lamella: unknown flag: -z\n {2}See lamella ps --help\.\n$/],
  [['stop', '-t', 'x', 'a'], /^lamella: invalid value 'x' for --time/],
  [['logs'], /^lamella: missing argument CONTAINER\n {2}See lamella logs --help\.\n$/],
  [['commit', '-m', '-h'], /^lamella: missing argument CONTAINER/],
  [['create', '-h'], /^lamella: flag needs an argument: -h\n {2}See lamella create --help\.\n$/],
  [['volume', 'ls'], /^lamella: unknown command: volume\n {2}Named volumes are not supported/],
  [['system', 'prune'], /^lamella: unknown command: system prune|^lamella: unknown command: system\n {2}Remove stopped containers: lamella container prune/],
])('lamella %j says what to do', (args, stderr) => {
  const outcome = lamella(args);
  expect([outcome.status, outcome.stdout]).toEqual([125, '']);
  expect(outcome.stderr).toMatch(stderr);
});

test('flags about what a container is made as are refused with --on', async () => {
  const id = await create();
  for (const flag of [
    ['--cap-drop', 'ALL'],
    ['--read-only'],
    ['-v', '/data'],
    ['--security-opt', 'no-new-privileges'],
    ['--platform', 'linux/arm64'],
    ['--name', 'x'],
  ])
    expect(lamella(['run', '--on', id, ...flag, 'true'])).toMatchObject({
      status: 125,
      stderr: expect.stringContaining(`cannot be used together: ${id} exists already`),
    });
  expect(said('run', '--on', id, '-e', 'A=1', '-w', '/tmp', '-u', '0', 'sh', '-c', 'echo $A; pwd')).toBe('1\n/tmp');
});

test('a volume without a source is found by its place', async () => {
  const id = await create({ anonymousVolumes: ['/only/here'] });
  expect(said('ps', '-aq', '--filter', 'volume=/only/here')).toBe(id);
});

test('a container whose writable layer is gone is not started as an empty one', async () => {
  const id = await create();
  rmSync(at.join(`store/containers/${id}/upper`), { recursive: true });
  for (const command of ['start', 'restart']) expect(lamella([command, id])).toMatchObject({ status: 1, stderr: expect.stringMatching(/had written is gone/) });
  expect(lamella(['rm', id]).status).toBe(0);
});

test('a container whose record is damaged is removed by its id', async () => {
  const id = await create();
  writeFileSync(at.join(`store/containers/${id}/config.json`), '{"a');
  expect(lamella(['start', id])).toMatchObject({ status: 1, stderr: expect.stringContaining('there is no container') });
  expect(said('rm', id)).toBe(id);
  expect(existsSync(at.join(`store/containers/${id}`))).toBe(false);
  expect(lamella(['rm', id])).toMatchObject({ status: 1, stderr: expect.stringContaining('there is no container') });
});
