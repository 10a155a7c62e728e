import { Containers, ImageStore } from '@lamella/engine';
import { busyboxArchive, type ScratchDirectory } from '@lamella-test/scratch';
import { memoryOf } from './memory-of.js';
import type { Row } from './row.js';

/** Containers that live at once: what a start costs at the end, and what each takes of memory. */
export async function manyContainers(at: ScratchDirectory, count: number): Promise<Row[]> {
  const root = at.join('store');
  await new ImageStore(root).import(busyboxArchive(), 'busybox');
  const containers = new Containers(root);
  const times: number[] = [];
  const monitors: number[] = [];
  try {
    for (let i = 0; i < count; i++) {
      const began = performance.now();
      const { container } = await containers.run({ image: 'busybox', args: ['sleep', '100000'] });
      times.push(performance.now() - began);
      if (i % 50 === 0) monitors.push((await container.state()).monitor ?? 0);
    }
    const edge = Math.max(1, Math.floor(count / 10));
    const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
    return [
      {
        what: `Start one when ${count} live`,
        ours: median(times.slice(-edge)),
        against: 'when none does',
        theirs: median(times.slice(0, edge)),
        target: { atMost: 1.2 },
        unit: 'ms',
      },
      {
        what: 'PSS of a monitor',
        ours: Math.max(...monitors.map((pid) => memoryOf(pid))),
        against: 'the promise',
        theirs: 0.3,
        target: { atMost: 1 },
        unit: 'MB',
      },
    ];
  } finally {
    for (const { id } of await containers.list()) await (await containers.get(id)).remove({ force: true });
  }
}
