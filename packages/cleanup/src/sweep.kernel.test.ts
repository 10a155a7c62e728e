import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { type Program, type Running, run, slotAllocator, start } from '@lamella/syscall';
import { mountsBelow, requiresRoot, type ScratchDirectory, scratch } from '@lamella-test/scratch';
import { expect, test } from 'vitest';
import { type Claim, claim, directoryOf, keptOf, releaseContainer, releaseDead, sweep } from './index.js';

/** A container that holds its claims until it is killed, in the state of one that was: no exit program. */
async function container(at: ScratchDirectory, id: string, claims: readonly Claim[] = [], make: Program = [], durable = false): Promise<Running> {
  mkdirSync(at.join('containers'), { recursive: true });
  let ready = (): void => undefined;
  const made = new Promise<void>((resolve) => {
    ready = resolve;
  });
  const running = start(
    [
      ...claim({ containers: at.join('containers'), id }, claims, slotAllocator(), { durable }),
      ...make,
      {
        op: 'clone',
        flags: 0,
        monitor: 0,
        program: [{ op: 'prctl', option: 1, arg2: 9, arg3: 0, arg4: 0, arg5: 0 }, { op: 'umask', mask: 0, reply: true }, { op: 'wait' }],
      },
    ],
    { onReply: (reply) => reply.kind === 'ok' && ready() },
  );
  await Promise.race([made, running.result]);
  return running;
}

async function kill(running: Running): Promise<void> {
  process.kill(running.pid, 'SIGKILL');
  await running.result.catch(() => undefined);
  for (let i = 0; i < 200 && existsSync(`/proc/${running.pid}`); i++) await new Promise((resolve) => setTimeout(resolve, 5));
}

test('there is nothing to sweep where there is nothing', async () => {
  expect(await sweep('/no/such/directory')).toEqual({ released: [], alive: [], kept: [], failed: [] });
});

test('a directory in which no container was claimed is left alone, whatever is in it', async () => {
  await using at = scratch();
  mkdirSync(at.join('images/blobs'), { recursive: true });
  writeFileSync(at.join('images/blobs/kept'), 'of the user');
  expect(await sweep(at.path)).toEqual({ released: [], alive: [], kept: [], failed: [] });
  expect(readdirSync(at.path, { recursive: true }).toSorted()).toEqual(['images', 'images/blobs', 'images/blobs/kept']);
});

test('a kept container whose removal was interrupted is swept', async (context) => {
  requiresRoot(context);
  await using at = scratch();
  const record = { containers: at.join('containers'), id: 'half' };
  const half = await container(at, 'half');
  await kill(half);
  writeFileSync(keptOf(record), '');
  // What cannot be removed comes last: it keeps the removal from its end.
  mkdirSync(at.join('containers/half/upper'));
  writeFileSync(at.join('containers/half/upper/file'), '');
  execFileSync('mount', ['--bind', at.join('containers/half/upper'), at.join('containers/half/upper')]);
  expect(await releaseDead(record)).toMatchObject({ code: 'CLEANUP_INCOMPLETE' });
  execFileSync('umount', [at.join('containers/half/upper')]);
  expect(existsSync(keptOf(record))).toBe(false);
  expect(await sweep(at.join('containers'))).toMatchObject({ released: ['half'], kept: [] });
});

test('the living are left alone, the dead are released, the kept are kept', async () => {
  await using at = scratch();
  const living = await container(at, 'living');
  const dead = await container(
    at,
    'dead',
    [{ kind: 'directory', path: at.join('outside') }],
    [{ op: 'mkdirat', dirfd: -100, pathname: at.join('outside'), mode: 0o700 }],
  );
  const kept = await container(at, 'kept');
  writeFileSync(keptOf({ containers: at.join('containers'), id: 'kept' }), '');
  await kill(dead);
  await kill(kept);
  writeFileSync(at.join('outside/file'), '');
  const containers = at.join('containers');
  expect(await sweep(containers)).toEqual({ released: ['dead'], alive: ['living'], kept: ['kept'], failed: [] });
  expect(
    readdirSync(containers)
      .filter((name) => !name.startsWith('.'))
      .sort(),
  ).toEqual(['kept', 'living']);
  expect(existsSync(at.join('outside'))).toBe(false);
  expect(await releaseDead({ containers, id: 'living' })).toBe('alive');
  expect(await releaseDead({ containers, id: 'kept' })).toBe('released');
  living.control({ op: 'go' });
  await living.result;
  expect(await sweep(containers)).toMatchObject({ released: ['living'] });
  expect(readdirSync(containers)).toEqual(['.lock']);
});

test("a dead container's mount on the host is taken away, somebody else's at its place is not", async (context) => {
  requiresRoot(context);
  await using at = scratch();
  for (const name of ['lower', 'upper', 'work', 'merged']) mkdirSync(at.join(name));
  const claims: Claim[] = [
    { kind: 'directory', path: at.join('merged') },
    { kind: 'mount', path: at.join('merged'), upperdir: at.join('upper') },
  ];
  const overlay: Program = [
    {
      op: 'mount',
      source: 'overlay',
      target: at.join('merged'),
      filesystemtype: 'overlay',
      mountflags: 0,
      data: `lowerdir=${at.join('lower')},upperdir=${at.join('upper')},workdir=${at.join('work')}`,
    },
  ];
  await kill(await container(at, 'one', claims, overlay, true));
  expect(mountsBelow(at.path)).toEqual([at.join('merged')]);
  expect(await sweep(at.join('containers'))).toMatchObject({ released: ['one'], failed: [] });
  expect([mountsBelow(at.path), existsSync(at.join('merged'))]).toEqual([[], false]);

  // After a reboot another user mounts an overlay there, and then the sweep comes.
  for (const name of ['merged', 'their-upper']) mkdirSync(at.join(name));
  await kill(await container(at, 'two', claims));
  const data = `lowerdir=${at.join('lower')},upperdir=${at.join('their-upper')},workdir=${at.join('work')}`;
  await run([{ op: 'mount', source: 'overlay', target: at.join('merged'), filesystemtype: 'overlay', mountflags: 0, data }]);
  const { failed } = await sweep(at.join('containers'));
  expect(failed).toEqual([expect.objectContaining({ code: 'CLEANUP_INCOMPLETE', hint: expect.any(String) })]);
  expect(mountsBelow(at.path)).toEqual([at.join('merged')]);
  await run([{ op: 'umount2', target: at.join('merged'), flags: 0 }]);
  expect(await sweep(at.join('containers'))).toMatchObject({ released: ['two'], failed: [] });
});

test('sweeping from many processes at once releases each container once, and takes none that is just being made', { timeout: 60_000 }, async () => {
  await using at = scratch();
  const containers = at.join('containers');
  for (let i = 0; i < 8; i++) await kill(await container(at, `dead-${i}`));
  const [living, ...results] = await Promise.all([container(at, 'born-meanwhile'), ...Array.from({ length: 6 }, () => sweep(containers))]);
  expect(results.flatMap(({ failed }) => failed)).toEqual([]);
  expect(existsSync(directoryOf({ containers, id: 'born-meanwhile' }))).toBe(true);
  await sweep(containers);
  expect(readdirSync(containers).filter((name) => name.startsWith('dead'))).toEqual([]);
  living.control({ op: 'go' });
  await living.result;
});

test('a container that ends releases itself, whatever is in its directory', async () => {
  await using at = scratch();
  const record = { containers: at.join('containers'), id: 'short' };
  mkdirSync(at.join('containers'));
  await run([
    ...claim(record, [], slotAllocator()),
    { op: 'mkdirat', dirfd: -100, pathname: at.join('containers/short/closed'), mode: 0 },
    { op: 'on_exit', program: releaseContainer(record, []) },
  ]);
  expect(readdirSync(at.join('containers'))).toEqual(['.lock']);
  await expect(run([...claim(record, [], slotAllocator()), ...claim(record, [], slotAllocator(9))])).rejects.toMatchObject({
    syscall: 'mkdirat',
    code: 'EEXIST',
  });
});
