import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import v8 from 'node:v8';
import vm from 'node:vm';
import { Containers, ImageStore, pool, run } from '@lamella/engine';
import { becomes, busyboxArchive, cgroupsOf, requiresRoot, type ScratchDirectory, scratch, until } from '@lamella-test/scratch';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

/** Ten thousand in the long suite. */
const RUNS = Number(process.env.LAMELLA_RUNS ?? 300);
const AT_ONCE = 8;

let at: ScratchDirectory;
let root: string;
beforeAll(async () => {
  at = scratch();
  root = at.join('store');
  await new ImageStore(root).import(busyboxArchive(), 'busybox');
});
afterAll(() => at[Symbol.asyncDispose]());
beforeEach((context) => requiresRoot(context));

interface Footprint {
  readonly descriptors: number;
  readonly mounts: number;
  readonly containers: readonly string[];
  readonly cgroups: number;
  readonly children: number;
}

function footprint(): Footprint {
  return {
    descriptors: readdirSync('/proc/self/fd').length,
    mounts: readFileSync('/proc/self/mountinfo', 'utf8').split('\n').length,
    containers: readdirSync(`${root}/containers`).filter((name) => !name.startsWith('.')),
    cgroups: cgroupsOf(root).length,
    children: readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').split(' ').filter(Boolean).length,
  };
}

v8.setFlagsFromString('--expose-gc');
const collect = vm.runInNewContext('gc') as () => void;

/** Bytes that something still refers to. */
function held(): number {
  collect();
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

async function many(count: number, one: (i: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (next < count) await one(next++);
    }),
  );
}

async function settled(wanted: Footprint): Promise<Footprint> {
  await becomes(() => JSON.stringify(footprint()) === JSON.stringify(wanted), 30);
  return footprint();
}

test('however many runs there are, nothing grows', { timeout: 60_000 + RUNS * 200 }, async () => {
  const one = async (i: number): Promise<void> => {
    const { exitCode, stdout } = await run({ root, image: 'busybox', args: ['sh', '-c', `echo ${i} > /tmp/x; cat /tmp/x; exit ${i % 7}`] });
    expect([exitCode, stdout]).toEqual([i % 7, String(i)]);
  };
  await many(40, one);
  const before = footprint();
  const memory = held();
  await many(RUNS, one);
  expect(await settled(before)).toEqual(before);
  // What is held is asked for, not what the process has: that grows to a hundred and fifty megabytes more, and stays there.
  expect(held() - memory).toBeLessThan(10e6);
});

test('lives and pools leave as little', async () => {
  const containers = new Containers(root);
  const life = async (i: number): Promise<void> => {
    const { container } = await containers.run({ image: 'busybox', args: ['sh', '-c', `echo ${i}`] });
    expect((await container.wait())?.exitCode).toBe(0);
    const lines: string[] = [];
    for await (const { content } of container.logs()) lines.push(content.toString());
    expect(lines).toEqual([`${i}\n`]);
    await container.remove();
  };
  const warm = async (): Promise<void> => {
    await using some = await pool({ root, image: 'busybox', size: 3 });
    await many(20, async (i) => expect((await some.run(['echo', String(i)])).stdout).toBe(String(i)));
  };
  await life(0);
  await warm();
  // The process that holds locks lingers for a while.
  await sleep(500);
  const before = footprint();
  await many(40, life);
  await warm();
  expect(await settled(before)).toEqual(before);
});

test('a pool is used once each, refilled, and disposed of whole', async () => {
  const made = await pool({ root, image: 'busybox', size: 2, env: { A: 'pool' } });
  const first = await made.run(['sh', '-c', 'echo $A $B; touch /used; exit 3'], { env: { B: 'own' } });
  expect(first).toMatchObject({ exitCode: 3, stdout: 'pool own' });
  expect((await made.run(['ls', '/used'])).exitCode).toBe(1);
  await expect(made.run(['nosuch'])).rejects.toMatchObject({ code: 'COMMAND_NOT_FOUND' });
  expect(await made.run(['sleep', '100'], { timeout: 100 })).toMatchObject({ timedOut: true, signal: 'SIGTERM' });
  await expect(made.run(['sleep', '100'], { cancelSignal: AbortSignal.timeout(100) })).rejects.toMatchObject({ isCanceled: true });
  expect((await made.run(['cat'], { input: 'typed' })).stdout).toBe('typed');
  await until(() => made.waiting === 2);
  const busy = made.run(['sh', '-c', 'sleep 0.2; echo done']);
  await made[Symbol.asyncDispose]();
  expect((await busy).stdout).toBe('done');
  await expect(made.run(['true'])).rejects.toMatchObject({ code: 'POOL_CLOSED' });
  expect(footprint().containers).toEqual([]);
  await expect(pool({ root, image: 'busybox', size: 0 })).rejects.toMatchObject({ code: 'POOL_SIZE_INVALID' });
});
