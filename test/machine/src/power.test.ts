import path from 'node:path';
import { scratch, skip } from '@lamella-test/scratch';
import { expect, test } from 'vitest';
import { onMachine, whyNoMachine } from './machine.js';

const POWER = path.join(import.meta.dirname, '../dist/power.js');
/** How often the power goes; the long suite sets it to a hundred. */
const CUTS = Number(process.env.LAMELLA_POWER_CUTS ?? 5);

test('a machine that loses its power finds its store again, and works on', { timeout: CUTS * 120_000 }, async (context) => {
  const reason = whyNoMachine();
  if (reason) skip(context, reason);
  await using at = scratch();
  const recovered: string[] = [];
  for (let cut = 0; cut < CUTS; cut++) {
    // Nobody knows when: another moment each time, from the first write on.
    const milliseconds = Math.floor(Math.random() * 6000);
    const { console } = await onMachine(at, `node ${POWER} >/dev/console 2>&1`, { timeout: 100_000, cutPower: { after: 'WORKING', milliseconds } });
    expect(console, `cut ${cut}, ${milliseconds} ms after it began to work`).toMatch(/WORKING/);
    expect(console).not.toContain('FAILED');
    if (cut) recovered.push(/RECOVERED (\{.*\})/.exec(console)?.[1] ?? 'not');
  }
  process.stderr.write(`power cuts: ${CUTS}, recovered: ${recovered.join(' ')}\n`);
  expect(recovered).not.toContain('not');
  expect(recovered.length).toBe(CUTS - 1);
});
