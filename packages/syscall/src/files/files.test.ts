import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, readlinkSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { SECRET, scratch, unfitFiles } from '@lamella-test/scratch';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { O, RESOLVE } from '../ops/constants.js';
import { AT_FDCWD, type Op } from '../ops/op.js';
import { run } from '../run/run.js';
import { parseWalked } from '../wire/walked.js';
import { FILE_BOUNDS, type FileBound } from './file-bounds.js';
import { FileError } from './file-error.js';
import type { HeldFile } from './held-file.js';
import { type FilePlace, holdPlace } from './hold-place.js';
import { jsonProblem } from './json-problem.js';
import { readLines } from './read-lines.js';
import { readNamedText, readOptionalText, readRegular, readRegularText, streamRegular } from './read-regular.js';

const SMALL: FileBound = { what: 'a small file', bytes: 1000 };

/** How each way of reading ends: what it read, or the code of its error. */
async function readings(place: FilePlace): Promise<readonly string[]> {
  const ways: readonly (() => string | Promise<string>)[] = [
    () => readRegularText(place, SMALL),
    () => readOptionalText(place, SMALL) ?? '',
    () => [...readLines(place, SMALL)].join('\n'),
    async () => {
      const stream = await streamRegular(place, { part: { offset: 0, size: 1000 } });
      return Buffer.concat(await Array.fromAsync(stream)).toString();
    },
  ];
  return Promise.all(
    ways.map(async (way) => {
      try {
        return await way();
      } catch (error) {
        if (!(error instanceof FileError)) throw error;
        expect(error.message).not.toContain('/proc/self/fd');
        return error.code;
      }
    }),
  );
}

test('whatever stands in the place of a file, reading it ends, within its bound and its root', async () => {
  await using at = scratch();
  mkdirSync(at.join('root'));
  const place = at.join('root/file');
  for (const { name, make } of unfitFiles(at.path)) {
    make(place);
    for (const leaving of ['refused', 'clamped'] as const) {
      const found = await readings({ root: at.join('root'), path: 'file', leaving });
      expect(found.join(), name).not.toContain(SECRET);
      if (name === '20 GiB') expect(found.slice(0, 3), name).toEqual(Array(3).fill('FILE_TOO_LARGE'));
      else if (name === 'a file that nobody may read') expect(['FILE_UNREADABLE', 'x'], name).toContain(found[0]);
      else expect(found[0], name).toMatch(/^FILE_(?:IRREGULAR|OUTSIDE|MISSING|UNREADABLE)$/);
    }
    const named = await readings(place);
    if (!name.startsWith('a link')) expect(named.join(), name).not.toContain(SECRET);
  }
});

/** What the kernel finds below a root, by openat2(2) with RESOLVE_IN_ROOT: an inode, of a directory; or that there is something. */
async function inRoot(root: string, paths: readonly string[]): Promise<readonly (number | boolean)[]> {
  const ignore = ['ENOENT', 'ENOTDIR', 'ELOOP', 'EBADF'] as const;
  const found = new Map<number, number | boolean>();
  const program: Op[] = [{ op: 'openat', dirfd: AT_FDCWD, pathname: root, flags: O.PATH | O.DIRECTORY, mode: 0, out: 5 }];
  for (const [i, pathname] of paths.entries())
    program.push(
      { op: 'openat2', dirfd: 5, pathname, flags: O.PATH, mode: 0, resolve: RESOLVE.IN_ROOT | RESOLVE.NO_MAGICLINKS, out: 6 + i, ignore, reply: true },
      { op: 'statx', dirfd: 6 + i, pathname: '', ignore },
    );
  await run(program, {
    onReply: (reply) => {
      if (reply.kind === 'ok') found.set(reply.index + 1, true);
      if (reply.kind === 'data') found.set(reply.index, Number(parseWalked(reply.data).inode.split(':').at(-1)));
    },
  });
  return paths.map((_, i) => found.get(2 + i * 2) ?? false);
}

/** What is held there, or nothing for what the kernel refuses. */
function holdable(place: FilePlace): HeldFile | undefined {
  try {
    return holdPlace(place);
  } catch (error) {
    if (error instanceof FileError && error.problem === 'unreadable') return undefined;
    throw error;
  }
}

test('what is read of a root is what chroot(2) shows, for any links in it', async () => {
  const names = fc.constantFrom('a', 'b', 'c');
  const target = fc.array(fc.constantFrom('a', 'b', 'c', '..', '.', ''), { minLength: 1, maxLength: 5 }).map((parts) => parts.join('/'));
  const entry = fc.oneof(fc.record({ link: target }), fc.record({ absolute: target }), fc.constant({ file: true }), fc.constant({ directory: true }));
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.array(names, { minLength: 1, maxLength: 3 }), entry), { maxLength: 8 }),
      fc.array(
        target.map((path) => path || '.'),
        { maxLength: 4 },
      ),
      async (tree, paths) => {
        await using at = scratch('tmpfs');
        mkdirSync(at.join('root'));
        writeFileSync(at.join('file'), SECRET);
        for (const [parts, what] of tree) {
          try {
            const place = at.join('root', ...parts);
            // Links made before lead out of it, also to the machine's own root.
            const parent = `${realpathSync.native(path.dirname(place))}/`;
            if (!parent.startsWith(`${realpathSync.native(at.join('root'))}/`)) continue;
            if ('link' in what) symlinkSync(what.link || '.', place);
            else if ('absolute' in what) symlinkSync(`/${what.absolute}`, place);
            else if ('file' in what) writeFileSync(place, `content of ${parts.join('/')}`, { flag: 'wx' });
            else mkdirSync(place);
          } catch (error) {
            if (!['EEXIST', 'ENOENT', 'ENOTDIR', 'ELOOP', 'EISDIR', 'EACCES', 'EROFS', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? ''))
              throw error;
          }
        }
        const shown = await inRoot(at.join('root'), paths);
        for (const [i, each] of paths.entries()) {
          using held = holdable({ root: at.join('root'), path: each, leaving: 'clamped' });
          expect(held?.stat.isDirectory() ? held.stat.ino : held !== undefined, each).toBe(shown[i]);
          const [clamped] = await readings({ root: at.join('root'), path: each, leaving: 'clamped' });
          const [refused] = await readings({ root: at.join('root'), path: each, leaving: 'refused' });
          expect(clamped).not.toContain(SECRET);
          if (refused !== 'FILE_OUTSIDE') expect(refused).toBe(clamped);
        }
      },
    ),
    { numRuns: process.env.LAMELLA_LONG ? 5000 : 100 },
  );
}, 600_000);

test('while somebody exchanges a directory for a link out, only what is inside is read', async () => {
  await using at = scratch('tmpfs');
  mkdirSync(at.join('root/etc'), { recursive: true });
  mkdirSync(at.join('root/etc.real'));
  mkdirSync(at.join('etc'));
  writeFileSync(at.join('root/etc.real/passwd'), 'inside');
  writeFileSync(at.join('etc/passwd'), SECRET);
  const script = `
    const fs = require('node:fs'); process.chdir(process.argv[1]);
    for (;;) {
      fs.rmSync('root/etc', { recursive: true, force: true }); fs.symlinkSync('../etc', 'root/etc');
      fs.rmSync('root/etc'); fs.mkdirSync('root/etc'); fs.writeFileSync('root/etc/passwd', 'inside');
    }`;
  const exchanging = spawn(process.execPath, ['-e', script, at.path]);
  try {
    const seen = new Set<string>();
    const until = Date.now() + (process.env.LAMELLA_LONG ? 60_000 : 700);
    // On a busy machine the other process may not have had its turn yet.
    while (Date.now() < until || !seen.has('inside'))
      for (const found of await readings({ root: at.join('root'), path: 'etc/passwd', leaving: 'clamped' })) seen.add(found);
    expect([...seen].filter((found) => !['inside', '', 'FILE_MISSING', 'FILE_UNREADABLE'].includes(found))).toEqual([]);
    expect(seen).toContain('inside');
  } finally {
    exchanging.kill('SIGKILL');
  }
}, 120_000);

test('no descriptor is left, whatever happens', async () => {
  await using at = scratch();
  mkdirSync(at.join('root'));
  const open = (): string[] =>
    readdirSync('/proc/self/fd').flatMap((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`);
      } catch {
        return []; // That of the listing itself.
      }
    });
  for (const { make } of unfitFiles(at.path)) {
    make(at.join('root/file'));
    for (const path of ['file', '../file', 'file/below', '.']) await readings({ root: at.join('root'), path, leaving: 'clamped' });
  }
  expect(open().filter((each) => each.startsWith(at.path) || each === '/dev/zero')).toEqual([]);
});

test('what the user names may be a pipe, and is bounded', async () => {
  await using at = scratch();
  writeFileSync(at.join('file'), 'content');
  expect(readNamedText(at.join('file'), SMALL)).toBe('content');
  expect(() => readNamedText('/dev/zero', SMALL)).toThrow(expect.objectContaining({ code: 'FILE_TOO_LARGE' }));
  expect(() => readNamedText(at.path, SMALL)).toThrow(expect.objectContaining({ code: 'FILE_IRREGULAR' }));
  expect(() => readNamedText(at.join('none'), SMALL)).toThrow(expect.objectContaining({ code: 'FILE_MISSING' }));
  const fd = openSync(at.join('file'), 'r');
  expect(readNamedText(fd, SMALL, 'stdin')).toBe('content');
  closeSync(fd);
});

test('lines come whole, whatever their length and wherever they are cut', async () => {
  await using at = scratch();
  const line = fc.string({ unit: 'grapheme', maxLength: 50 }).map((text) => text.replaceAll('\n', ''));
  fc.assert(
    fc.property(fc.array(line), fc.boolean(), (lines, ends) => {
      writeFileSync(at.join('file'), lines.join('\n') + (ends ? '\n' : ''));
      expect([...readLines(at.join('file'), FILE_BOUNDS.users)]).toEqual(Buffer.from(lines.join('\n')).toString().split('\n').filter(Boolean));
    }),
    { numRuns: 50 },
  );
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: fc.constantFrom('a', 'b', ':'), maxLength: 6 })),
      fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 3 }),
      (lines, mention) => {
        writeFileSync(at.join('file'), lines.join('\n'));
        expect([...readLines(at.join('file'), FILE_BOUNDS.users, mention)]).toEqual(lines.filter((each) => each.includes(mention)));
      },
    ),
    { numRuns: 50 },
  );
  // Across the parts in which it is read; one that is too long for an entry is left out.
  const long = 'é'.repeat(700_000);
  writeFileSync(at.join('file'), `${'x'.repeat(1_048_571)}\n${'é'.repeat(30)}\n${long}\nlast`);
  expect([...readLines(at.join('file'), FILE_BOUNDS.users)].map((each) => each.length)).toEqual([1_048_571, 30, 4]);
  // Lines of all lengths around those of the parts.
  const lengths = [1, 1_048_575, 1_048_576, 1_048_577, 2_097_151, 2_097_152, 2_097_153, 5_000_000, 7, 1_048_570, 3];
  writeFileSync(at.join('file'), lengths.map((length) => 'x'.repeat(length)).join('\n'));
  for (const mention of [undefined, 'x'])
    expect([...readLines(at.join('file'), FILE_BOUNDS.users, mention)].map((each) => each.length)).toEqual(lengths.filter((length) => length <= 1 << 20));
});

test('the table of bounds in the documentation is that of the code', () => {
  const text = readFileSync(path.join(import.meta.dirname, '../../../../docs/internals/untrusted-files.md'), 'utf8');
  const told = Object.fromEntries([...text.matchAll(/^\| `(\w+)` +\|[^|]*\| (\d+) MiB +\|/gm)].map(([, name, size]) => [name, Number(size) * 2 ** 20]));
  expect(told).toEqual(Object.fromEntries(Object.entries(FILE_BOUNDS).map(([name, { bytes }]) => [name, bytes])));
});

test('what is wrong with JSON is told without its text', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (before, after) => {
      try {
        JSON.parse(before + SECRET + after);
      } catch (error) {
        expect(jsonProblem(error)).not.toContain(SECRET.slice(0, 6));
        expect(jsonProblem(error)).not.toBe('');
      }
    }),
  );
  expect(jsonProblem(new SyntaxError('Unexpected end of JSON input'))).toBe('Unexpected end of JSON input');
});

test('a file that grows while it is read does not go beyond its bound', async () => {
  await using at = scratch();
  // Those of procfs say that they have no bytes.
  expect(readRegular('/proc/self/stat', SMALL).length).toBeGreaterThan(10);
  expect(() => readRegular('/proc/kallsyms', SMALL)).toThrow(expect.objectContaining({ code: 'FILE_TOO_LARGE' }));
  writeFileSync(at.join('empty'), '');
  expect(readRegular(at.join('empty'), SMALL)).toEqual(Buffer.alloc(0));
  expect(await Array.fromAsync(await streamRegular(at.join('empty')))).toEqual([]);
});
