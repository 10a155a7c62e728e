import { Containers, ImageStore, run } from '@lamella/engine';
import { busyboxArchive, type ScratchDirectory } from '@lamella-test/scratch';
import { memoryOf } from './memory-of.js';
import type { Row } from './row.js';

/** Forks of one state that run at once, against as many runs one after the other, and the memory of each while it waits. */
export async function forks(at: ScratchDirectory, count: number): Promise<Row[]> {
  const root = at.join('store');
  await new ImageStore(root).import(busyboxArchive(), 'busybox');
  const containers = new Containers(root);
  const state = await containers.create({ image: 'busybox' });
  await (await state.run({ args: ['sh', '-c', 'echo state > /state'] })).result;
  const once = async (): Promise<unknown> => run({ root, image: 'busybox', args: ['/bin/true'] });
  for (let i = 0; i < 5; i++) await once();

  const oneByOne = performance.now();
  for (let i = 0; i < count; i++) await once();
  const theirs = performance.now() - oneByOne;

  const atOnce = performance.now();
  const copies = await state.fork(count);
  const results = await Promise.all(copies.map(async (copy) => (await copy.run({ args: ['grep', '-q', 'state', '/state'] })).result));
  const ours = performance.now() - atOnce;
  if (results.some(({ exitCode }) => exitCode !== 0)) throw new Error('a fork does not have the state');

  const waiting = await Promise.all(copies.map((copy) => copy.run({ args: ['sleep', '100000'] })));
  const pids = await Promise.all(waiting.map(({ started }) => started));
  const states = await Promise.all(copies.map((copy) => copy.state()));
  const own = memoryOf(...states.flatMap(({ monitor }) => (monitor === undefined ? [] : [monitor])));
  const commands = memoryOf(...pids.filter((pid) => pid !== undefined));
  for (const each of waiting) each.kill('SIGKILL');
  await Promise.allSettled(waiting.map(({ result }) => result));
  for (const copy of copies) await copy.remove();

  const what = `${count} forks of one state at once, each to the end of a command`;
  return [
    { what, ours, against: `${count} runs, one after the other`, theirs, target: { atMost: 1.5 }, unit: 'ms' },
    {
      what: 'Memory of a fork that waits (PSS), without its command',
      ours: own / count,
      against: 'the promise',
      theirs: 0.3,
      target: { atMost: 1 },
      unit: 'MB',
    },
    { what: 'Memory of the command of a fork (PSS)', ours: commands / count, against: 'the monitor of the fork', theirs: own / count, unit: 'MB' },
  ];
}
