import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { requiresRoot, scratch } from '@lamella-test/scratch';
import { expect, test } from 'vitest';
import { writeOutput } from './output-file.js';

const put = (file: string, text: string): Promise<void> => writeOutput(file, (output) => pipeline(Readable.from([text]), output));

test('an output settles when it has its name, whether a file had that or not', async () => {
  await using at = scratch();
  await put(at.join('out'), 'first');
  expect(readFileSync(at.join('out'), 'utf8')).toBe('first');
  await writeOutput(at.join('out'), (output) => pipeline(Readable.from(['second ', 'x'.repeat(1 << 20), 'end']), output));
  expect(readFileSync(at.join('out'), 'utf8')).toBe(`second ${'x'.repeat(1 << 20)}end`);
  expect(readdirSync(at.path)).toEqual(['out']);
});

test.each([true, false])('an output that cannot take its name fails and leaves nothing (a file was there: %s)', async (wasThere) => {
  await using at = scratch();
  const file = at.join('out');
  if (wasThere) writeFileSync(file, 'old');
  const writing = writeOutput(file, async (output) => {
    await pipeline(Readable.from(['new']), output);
    rmSync(file, { force: true });
    mkdirSync(file);
  });
  await expect(writing).rejects.toMatchObject({ message: `cannot replace ${file}: EISDIR`, hint: expect.stringMatching(/./) });
  expect(readdirSync(at.path)).toEqual(['out']);
});

test('a failed write leaves the old file as it was, and is told', async () => {
  await using at = scratch();
  await put(at.join('out'), 'old');
  const failing = writeOutput(at.join('out'), (output) =>
    pipeline(async function* () {
      yield 'new';
      throw new Error('no more');
    }, output),
  );
  await expect(failing).rejects.toThrow('no more');
  expect([readdirSync(at.path), readFileSync(at.join('out'), 'utf8')]).toEqual([['out'], 'old']);
});

test('an output keeps the permission bits and the owner of the file that it replaces', async (context) => {
  requiresRoot(context);
  await using at = scratch();
  const file = at.join('out');
  writeFileSync(file, 'old');
  chownSync(file, 1234, 4321);
  chmodSync(file, 0o600);
  await put(file, 'new');
  const { mode, uid, gid } = statSync(file);
  expect([readFileSync(file, 'utf8'), mode & 0o7777, uid, gid]).toEqual(['new', 0o600, 1234, 4321]);
});
