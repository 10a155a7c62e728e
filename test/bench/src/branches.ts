import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Containers, ImageStore, type StoredContainer, sweep } from '@lamella/engine';
import { mountOverlay } from '@lamella/overlay';
import { busyboxArchive, type ScratchDirectory } from '@lamella-test/scratch';
import type { Row } from './row.js';

/** Measures a checkpoint, a rollback and a fork of a large and of an empty upper, and how fast changes are listed. */
export async function branches(at: ScratchDirectory, { smoke, rounds }: { readonly smoke: boolean; readonly rounds: number }): Promise<Row[]> {
  const root = at.join('store');
  await new ImageStore(root).import(busyboxArchive(), 'busybox');
  const containers = new Containers(root);
  const files = smoke ? 1000 : 100_000;
  const times = new Map<string, number[]>();
  const time = async (what: string, action: () => Promise<unknown>): Promise<void> => {
    // Longer than the process lingers that holds locks: each begins with none.
    await sleep(400);
    const began = performance.now();
    await action();
    times.set(what, [...(times.get(what) ?? []), performance.now() - began]);
  };
  const gone = async (): Promise<void> => {
    // What a rollback discards is removed by and by.
    const left = (): boolean => readdirSync(path.join(root, 'containers')).some((name) => name.endsWith('-discarded'));
    for (let tries = 0; left() && tries < 500; tries++) await sleep(20);
    // sweep() removes what is still left.
    if (left()) await sweep(root);
    await sleep(50);
  };
  const one = async (fill: boolean): Promise<StoredContainer> => {
    const container = await containers.create({ image: 'busybox' });
    if (fill) large(container.upper, files);
    return container;
  };
  const [lowerdir, upperdir, workdir, merged] = ['lower', 'upper', 'work', 'merged'].map((name) => at.join(name)) as [string, string, string, string];
  for (const each of [lowerdir, upperdir, workdir, merged]) mkdirSync(each);
  let memory = 0;
  for (let round = -1; round < rounds; round++) {
    if (round === 0) times.clear();
    await time('mount', async () => {
      await using _mount = await mountOverlay({ lowerdirs: [lowerdir], upperdir, workdir, merged });
    });
    for (const fill of [false, true]) {
      const kind = fill ? 'large' : 'empty';
      const frozen = await one(fill);
      if (fill) {
        await time('changes', async () => expect(await count(frozen), files));
        memory = Math.max(memory, memoryFor(root, frozen.id));
      }
      await time(`checkpoint ${kind}`, () => frozen.checkpoint());
      await time(`fork ${kind}`, () => frozen.fork());
      const back = await one(fill);
      await time(`rollback ${kind}`, () => back.rollback(null));
      await gone();
      for (const { id } of await containers.list()) await (await containers.get(id)).remove();
    }
  }
  const median = (what: string): number => (times.get(what) ?? []).toSorted((a, b) => a - b)[rounds >> 1] ?? Number.NaN;
  const size = smoke ? '1,000 files' : '100,000 files, 2 GB';
  return [
    ...(['checkpoint', 'rollback', 'fork'] as const).map(
      (what): Row => ({
        what: `${what} of an upper with ${size}`,
        ours: median(`${what} large`),
        against: 'an empty one',
        theirs: median(`${what} empty`),
        target: { atMost: 1.2 },
        unit: 'ms',
      }),
    ),
    ...(['checkpoint', 'rollback'] as const).map(
      (what): Row => ({
        what,
        ours: median(`${what} large`),
        against: 'mounting and unmounting an overlay',
        theirs: median('mount'),
        target: { atMost: 3 },
        unit: 'ms',
      }),
    ),
    {
      what: `changes, ${files.toLocaleString('en')} of them`,
      ours: median('changes'),
      against: 'the promise',
      theirs: 1000,
      target: { atMost: 1 },
      unit: 'ms',
    },
    { what: 'memory of the process that reads them', ours: memory, against: 'the promise', theirs: 100, target: { atMost: 1 }, unit: 'MB' },
  ];
}

/** Files in directories of a thousand, and a hole of two gigabytes. */
function large(upper: string, files: number): void {
  for (let i = 0; i < files; i += 1000) {
    mkdirSync(path.join(upper, `d${i}`));
    for (let file = 0; file < 1000; file++) writeFileSync(path.join(upper, `d${i}`, `f${file}`), 'x');
  }
  writeFileSync(path.join(upper, 'large'), '');
  truncateSync(path.join(upper, 'large'), 2 ** 31);
}

async function count(container: StoredContainer): Promise<number> {
  let seen = 0;
  for await (const _ of container.changes()) seen++;
  return seen;
}

function expect(seen: number, files: number): void {
  if (seen < files) throw new Error(`${seen} changes were told of ${files}`);
}

/** Returns the most megabytes that a separate process needs to read all changes. */
function memoryFor(root: string, id: string): number {
  const engine = import.meta.resolve('@lamella/engine');
  const script = `
    const { Containers } = await import(${JSON.stringify(engine)});
    for await (const _ of (await new Containers(${JSON.stringify(root)}).get(${JSON.stringify(id)})).changes());
    // Not getrusage(2), which remembers who started this process.
    console.log(/^VmHWM:\\s+(\\d+)/m.exec((await import('node:fs')).readFileSync('/proc/self/status', 'utf8'))[1]);`;
  return Number(execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })) / 1000;
}
