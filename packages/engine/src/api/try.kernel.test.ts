import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { requiresProgram, requiresRoot, type ScratchDirectory, scratch } from '@lamella-test/scratch';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { Containers } from '../index.js';

let at: ScratchDirectory;
beforeAll(() => {
  at = scratch();
});
beforeEach((context) => requiresRoot(context));
afterAll(() => at[Symbol.asyncDispose]());

/** Commands that cannot be executed, by each way of the SDK to start one. */
const WAYS: Readonly<Record<string, (containers: Containers) => Promise<Started>>> = {
  try: (containers) => containers.try({ args: [at.join('none')], cwd: '/', env: {} }),
  'a command in what was tried': async (containers) => {
    const first = await containers.try({ args: ['true'], cwd: '/', env: { PATH: process.env.PATH } });
    await first.result;
    return (await containers.get(first.id)).run({ args: [at.join('none')], cwd: '/' });
  },
  exec: async (containers) => {
    const first = await containers.try({ args: ['sleep', '100'], cwd: '/', env: { PATH: process.env.PATH } });
    await first.started;
    return (await containers.get(first.id)).exec({ args: [at.join('none')] });
  },
};
interface Started {
  readonly started: Promise<number | undefined>;
  readonly result: Promise<unknown>;
}

test.each(Object.entries(WAYS))('a program that awaits only the start of a command which cannot be executed does not end by that: %s', async (_, begin) => {
  const containers = new Containers(at.join('store'));
  const unhandled: unknown[] = [];
  const note = (error: unknown): void => void unhandled.push(error);
  const listeners = process.listeners('unhandledRejection');
  process.removeAllListeners('unhandledRejection');
  process.on('unhandledRejection', note);
  try {
    const container = await begin(containers);
    expect(await container.started).toBeUndefined();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(unhandled).toEqual([]);
    // The promise itself still rejects.
    await expect(container.result).rejects.toMatchObject({ code: 'COMMAND_NOT_FOUND' });
  } finally {
    process.off('unhandledRejection', note);
    for (const each of listeners) process.on('unhandledRejection', each);
    for (const { id } of await containers.list()) await (await containers.get(id)).remove({ force: true });
  }
});

test('one object of the SDK knows the directories of all its runs, and takes none for another', async (context) => {
  requiresProgram(context, 'mount');
  for (const name of ['a', 'b']) mkdirSync(at.join(name));
  const mounted = new Set<string>();
  const mount = (name: string): void => {
    expect(spawnSync('mount', ['-t', 'tmpfs', 'lamella-test', at.join(name)]).status).toBe(0);
    mounted.add(name);
  };
  const unmount = (name: string): void => {
    expect(spawnSync('umount', [at.join(name)]).status).toBe(0);
    mounted.delete(name);
  };
  try {
    const containers = new Containers(at.join('store'));
    const first = await containers.try({ args: ['true'], cwd: '/', env: { PATH: process.env.PATH } });
    await first.result;
    const one = await containers.get(first.id);
    const write = async (name: string): Promise<unknown> => (await one.run({ args: ['sh', '-c', `echo ${name} >${at.join(name, name)}`] })).result;
    const listed = async (): Promise<string[]> => (await Array.fromAsync(one.changes())).map((change) => path.relative(at.path, change.path)).toSorted();
    mount('a');
    await write('a');
    expect(await listed()).toEqual(['a/a']);
    unmount('a');
    mount('b');
    await write('b');
    expect(await listed()).toEqual(['a/a', 'b/b']);
    await expect(one.apply()).rejects.toMatchObject({ code: 'VOLUME_MOVED', message: expect.stringContaining('a/a') });
    await one.apply({ select: (change) => change.path.endsWith('/b') });
    expect([readdirSync(at.join('a')), readdirSync(at.join('b'))]).toEqual([[], ['b']]);
    await one.remove();
  } finally {
    for (const name of mounted) spawnSync('umount', [at.join(name)]);
  }
});
