import { spawnSync } from 'node:child_process';
import nodeFs, { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bytesOf, decodeProgram, encodeProgram, type Op, textOf } from '../index.js';

const runs = { numRuns: process.env.LAMELLA_LONG ? 20_000 : 500 };
/** Bytes that are nearly UTF-8 find more than any bytes. */
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc
    .array(
      fc.oneof(
        fc.string({ unit: 'grapheme', maxLength: 3 }).map((text) => Buffer.from(text)),
        fc.uint8Array({ minLength: 1, maxLength: 3 }).map((each) => Buffer.from(each)),
        fc.constantFrom('efbfbd', 'eda080', 'edb3bf', 'f4908080', 'c080', 'e0808a', 'f08080af', 'f09f98', 'ff', '80').map((hex) => Buffer.from(hex, 'hex')),
      ),
      { maxLength: 8 },
    )
    .map((parts) => Buffer.concat(parts)),
);

describe('text of bytes', () => {
  test('keeps every string of bytes', () => {
    fc.assert(
      fc.property(bytes, (each) => {
        expect(bytesOf(textOf(each))).toEqual(Buffer.from(each));
      }),
      runs,
    );
  });

  test('is the text itself where bytes are UTF-8, and no lone surrogate is in it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        fc.pre(text.isWellFormed());
        expect(textOf(Buffer.from(text))).toBe(text);
        expect(bytesOf(text)).toEqual(Buffer.from(text));
      }),
      runs,
    );
  });

  test('survives joining, JSON, and the words and paths of a program', () => {
    fc.assert(
      fc.property(fc.array(bytes, { maxLength: 5 }), (all) => {
        const texts = all.map((each) => textOf(each.filter((byte) => byte !== 0)));
        expect(bytesOf(texts.join('/'))).toEqual(Buffer.concat(texts.flatMap((text, i) => [...(i ? [Buffer.from('/')] : []), bytesOf(text)])));
        expect(JSON.parse(JSON.stringify(texts))).toEqual(texts);
        const op: Op = { op: 'execve', pathname: texts[0] ?? '', argv: texts, envp: texts };
        const [decoded] = decodeProgram(encodeProgram([op]));
        expect(decoded).toMatchObject({ argv: texts, envp: texts, pathname: bytesOf(texts[0] ?? '') });
      }),
      runs,
    );
  });

  test('is what Python makes of it', (context) => {
    const script = "import sys\nfor line in sys.stdin: print(ascii(bytes.fromhex(line.strip()).decode('utf-8', 'surrogateescape')))";
    const samples = fc.sample(bytes, 300);
    const input = samples.map((each) => `${Buffer.from(each).toString('hex')}\n`).join('');
    const { status, stdout } = spawnSync('python3', ['-c', script], { input, encoding: 'utf8' });
    if (status !== 0) context.skip('python3 is missing');
    const lines = stdout.trimEnd().split('\n');
    for (const [i, each] of samples.entries()) expect(python(textOf(each))).toBe(lines[i]?.slice(1, -1));
  });

  test('a lone surrogate that encodes no byte is refused', () => {
    for (const text of ['\ud800', 'a\udc7f', '\ude00b', '\udfff', '\udc80\ud83d']) expect(() => bytesOf(text)).toThrow(/encodes no byte/);
  });
});

/** As ascii() of Python writes a string that it puts into single quotes; those and double ones are not compared here. */
function python(text: string): string {
  const escaped = (point: number): string => {
    if (point === 0x5c) return '\\\\';
    if (point === 0x0a) return '\\n';
    if (point === 0x0d) return '\\r';
    if (point === 0x09) return '\\t';
    if (point >= 0x20 && point < 0x7f) return String.fromCharCode(point);
    if (point < 0x100) return `\\x${point.toString(16).padStart(2, '0')}`;
    return point < 0x10000 ? `\\u${point.toString(16).padStart(4, '0')}` : `\\U${point.toString(16).padStart(8, '0')}`;
  };
  const single = text.includes("'") && text.includes('"');
  return [...text].map((each) => (single && each === "'" ? "\\'" : escaped(each.codePointAt(0) ?? 0))).join('');
}

describe('a process that keeps bytes', () => {
  let at: string;
  beforeAll(() => {
    at = mkdtempSync(path.join(tmpdir(), 'lamella-bytes-'));
  });
  afterAll(() => rmSync(at, { recursive: true }));

  /** Runs in another process, because it changes node:fs for the whole process. */
  const keeping = (body: string): string => {
    const script = `import { keepBytes } from ${JSON.stringify(import.meta.resolve('../../dist/host/keep-bytes.js'))};
      import { syncBuiltinESMExports } from 'node:module';
      import fs from 'node:fs';
      keepBytes();
      void fs.promises;
      syncBuiltinESMExports();
      const later = await import('node:fs/promises');
      const path = await import('node:path');
      const os = await import('node:os');
      ${body}`;
    // A shell, for spawn takes text only.
    const line = `mkdir -p "$(printf 'here\\377')" && cd "$(printf 'here\\377')" && HOME="$(printf '/\\376')" exec "$0" --input-type=module -e "$1"`;
    const { status, stdout, stderr } = spawnSync('sh', ['-c', line, process.execPath, script], { cwd: at, encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    return stdout;
  };

  test('has every function of node:fs on paths wrapped, or refused by the lint', async () => {
    const { UNKEPT } = (await import('../../../../scripts/check-file-readers.mjs' as string)) as { UNKEPT: ReadonlySet<string> };
    // Functions on descriptors, and exports that are not functions on files.
    const others = /^(?:close|f[a-z]+|read|readv|write|writev)(?:Sync)?$|^(?:Dirent|Stats|_toUnixTimestamp|constants|promises)$/;
    const unwrapped = JSON.parse(
      keeping(`
        process.stdout.write(JSON.stringify(Object.keys(fs).filter((name) => fs[name]?.name !== 'replaced')));`),
    ) as string[];
    // The lint refuses those with callbacks: their synchronous forms, and those with promises, are wrapped.
    const withCallbacks = unwrapped.filter(
      (name) => typeof Object.getOwnPropertyDescriptor(nodeFs, `${name}Sync`)?.value === 'function' && !unwrapped.includes(`${name}Sync`),
    );
    expect(unwrapped.filter((name) => !others.test(name) && !withCallbacks.includes(name) && !UNKEPT.has(name))).toEqual([]);
    expect(withCallbacks.length).toBeGreaterThan(20);
    const promised = JSON.parse(
      keeping(`process.stdout.write(JSON.stringify(Object.keys(later).filter((name) => later[name]?.name !== 'replaced')));`),
    ) as string[];
    expect(promised.filter((name) => !others.test(name) && !UNKEPT.has(name) && !['default', 'watch'].includes(name))).toEqual([]);
  });

  test('calls node:fs by any name, and is told any name', () => {
    const names = fc
      .sample(bytes, 60)
      .map((each) => Buffer.from(each.filter((byte) => byte !== 0 && byte !== 0x2f)))
      .filter((each) => each.length > 0 && each.length < 200 && !['.', '..'].includes(each.toString()));
    const distinct = [...new Map(names.map((each) => [each.toString('hex'), each])).values()];
    const texts = distinct.map((each) => textOf(each));
    mkdirSync(path.join(at, 'empty'));
    const told = keeping(`
      const names = ${JSON.stringify(texts)};
      const failures = [];
      const check = (what, name, ok) => ok || failures.push([what, name]);
      for (const [i, name] of names.entries()) {
        fs.writeFileSync(name, String(i));
        await later.appendFile(name, '.');
        check('read', name, fs.readFileSync(name, 'utf8') === i + '.' && (await later.readFile(path.resolve(name), 'utf8')) === i + '.');
        check('exists', name, fs.existsSync(name) && fs.statSync(name).size === (await later.lstat(name)).size);
        fs.symlinkSync(name, name + '@');
        check('readlink', name, fs.readlinkSync(name + '@') === name && (await later.readlink(name + '@')) === name);
        const real = path.join(process.cwd(), name);
        check('realpath', name, fs.realpathSync(name + '@') === real && (await later.realpath(name + '@')) === real && fs.realpathSync.native(name) === real);
        fs.unlinkSync(name + '@');
        await later.mkdir(name + '.d');
        await later.rename(name, path.join(name + '.d', name));
        check('readdir', name, fs.readdirSync(name + '.d')[0] === name && (await later.readdir(name + '.d', { withFileTypes: true }))[0].name === name);
        const directory = fs.opendirSync(name + '.d', { bufferSize: 8 });
        const [entry] = fs.readdirSync(name + '.d', { withFileTypes: true });
        check('opendir', name, directory.readSync().name === name && directory.readSync() === null && entry.parentPath === name + '.d');
        directory.closeSync();
        const [made, too] = [fs.mkdtempSync(name + '-'), await later.mkdtemp(name + '-')];
        check('mkdtemp', name, made.startsWith(name + '-') && too.startsWith(name + '-') && fs.existsSync(made));
        for (const each of [made, too]) fs.rmdirSync(each);
        fs.renameSync(path.join(name + '.d', name), name);
        fs.rmSync(name + '.d', { recursive: true });
      }
      const listed = fs.readdirSync('.').sort();
      check('all', listed, JSON.stringify(listed) === JSON.stringify([...names].sort()));
      check('cwd', process.cwd(), process.cwd().endsWith('here\\udcff'));
      check('home', os.homedir(), os.homedir() === '/\\udcfe' && process.env.HOME === '/\\udcfe');
      process.stdout.write(JSON.stringify(failures));`);
    expect(JSON.parse(told)).toEqual([]);
    const here = readdirSync(Buffer.from(at), 'buffer').map((each) => each.toString('latin1'));
    expect(here.sort()).toEqual(['empty', 'here\xff']);
    const made = readdirSync(Buffer.concat([Buffer.from(`${at}/here`), Buffer.of(0xff)]), 'buffer').map((each) => each.toString('hex'));
    expect(made.sort()).toEqual(distinct.map((each) => each.toString('hex')).sort());
  });

  test('reads and writes by streams and descriptors', () => {
    keeping(`
      const { pipeline } = await import('node:stream/promises');
      fs.writeFileSync('from\\udc80', 'content');
      await pipeline(fs.createReadStream('from\\udc80'), fs.createWriteStream('to\\udc81'));
      const file = await later.open('to\\udc81');
      if ((await file.readFile('utf8')) !== 'content') throw new Error('another content');
      await file.close();`);
    const file = Buffer.concat([Buffer.from(`${at}/here`), Buffer.of(0xff), Buffer.from('/to'), Buffer.of(0x81)]);
    expect(readFileSync(file, 'utf8')).toBe('content');
  });
});
