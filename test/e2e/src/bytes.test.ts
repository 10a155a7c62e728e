import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { busyboxArchive, OCI_RUNTIME, ociBundle, requiresRoot, type ScratchDirectory, scratch } from '@lamella-test/scratch';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CLI, cli } from './cli.js';
import { requiresContainers } from './rights.js';

/** Words with all bytes that a name may have, from a seed, after some that are nearly UTF-8. */
const WORDS = [
  ...['a\xff', '\xc3\xa9\xef\xbf\xbe', '\xed\xb2\x80', '\xf0\x9f', '\xf4\x90\x80\x80', '\xc0\x80'].map(latin1),
  ...anyWords(process.env.LAMELLA_LONG ? 2000 : 60),
];

function latin1(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

function anyWords(count: number): Buffer[] {
  let state = 20;
  // A linear congruential generator, of whose bits the upper ones are random enough.
  const below = (limit: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 0x100000000) * limit);
  };
  const word = (): string => Array.from({ length: 1 + below(12) }, () => String.fromCharCode(1 + below(255))).join('');
  return [...new Set(Array.from({ length: count }, () => word().replaceAll('/', '\x80')))].map(latin1);
}

/** The directory in which everything happens. */
const BAD = Buffer.from('bad\xff \xe9', 'latin1');

let at: ScratchDirectory;
let here: Buffer;
beforeAll(() => {
  at = scratch();
  expect(cli(at.join('store'))(['import', busyboxArchive(), 'busybox'])).toMatchObject({ status: 0 });
  here = Buffer.concat([Buffer.from(`${at.join('host')}/`), BAD]);
  mkdirSync(at.join('host'));
  mkdirSync(here);
});
afterAll(() => at[Symbol.asyncDispose]());
beforeEach((context) => requiresContainers(context));
/** Node puts this character where a byte is not UTF-8. No file has a name with it. */
afterEach(() => expect(namesBelow(Buffer.from(at.join('host'))).filter((name) => name.includes('\xef\xbf\xbd'))).toEqual([]));

function namesBelow(directory: Buffer): string[] {
  return readdirSync(directory, { encoding: 'buffer' }).flatMap((name) => {
    const place = Buffer.concat([directory, Buffer.from('/'), name]);
    return [name.toString('latin1'), ...(lstatSync(place).isDirectory() ? namesBelow(place) : [])];
  });
}

/** A word for sh(1). */
function quoted(bytes: Uint8Array): string {
  return `'${Buffer.from(bytes).toString('latin1').replaceAll("'", "'\\''")}'`;
}

let scripts = 0;
/** Run a script of bytes (latin1) in the directory: Node itself starts programs with text only. */
function sh(script: string): { readonly status: number | null; readonly stdout: string; readonly stderr: string } {
  const file = at.join(`script-${scripts++}`);
  const enter = `cd ${quoted(here)} && ${script}`;
  writeFileSync(file, enter, 'latin1');
  const env = { ...process.env, LAMELLA_NODE: process.execPath, LAMELLA_ROOT: at.join('store'), L: CLI, OCI: OCI_RUNTIME };
  const { status, stdout, stderr } = spawnSync('sh', [file], { env, maxBuffer: 1 << 26 });
  return { status, stdout: stdout.toString('latin1'), stderr: stderr.toString('latin1') };
}

const inside = (name: string): Buffer => Buffer.concat([here, Buffer.from('/'), Buffer.from(name, 'latin1')]);
const words = WORDS.map(quoted).join(' ');
const told = WORDS.map((each) => `${each.toString('latin1')}\0`).join('');
const PRINT = `sh -c 'printf "%s\\0" "$@"' sh ${words}`;
const fine = (stdout: string): object => ({ status: 0, stdout, stderr: '' });

describe('words are bytes', () => {
  test('of run', () => expect(sh(`"$L" run busybox ${PRINT}`)).toEqual(fine(told)));
  test('of try', () => expect(sh(`"$L" try -n ${PRINT}`)).toEqual(fine(told)));
  test('of run --json', () => {
    const { stdout } = sh(`"$L" run --json busybox sh -c 'printf "%s\\0" "$@" >&2' sh ${words}`);
    expect(JSON.parse(stdout)).toMatchObject({ exitCode: 0 });
  });
  test('of what runs by itself, is started again, and is joined', () => {
    expect(sh(`"$L" run -d --name words busybox ${PRINT} && "$L" wait words`)).toMatchObject({ status: 0 });
    expect(sh('"$L" start -a words')).toMatchObject(fine(told));
    expect(sh(`"$L" run --on words ${PRINT}`)).toEqual(fine(told));
    expect(sh(`"$L" rm -f words && "$L" run -d --name up busybox sleep 100`)).toMatchObject({ status: 0 });
    expect(sh(`"$L" exec up ${PRINT}`)).toEqual(fine(told));
    expect(sh('"$L" rm -f up')).toMatchObject({ status: 0 });
  });
  test('of a command that is missing', () => {
    expect(sh(`"$L" run busybox /${quoted(Buffer.of(0xfe))}`)).toMatchObject({ status: 127, stderr: expect.stringContaining('not found in the container') });
  });
  test('of the OCI runtime, in a bundle with such a path', (context) => {
    requiresRoot(context);
    const bundle = ociBundle(at, [OCI_RUNTIME]);
    bundle.configure((config) => {
      config.process.args = ['sleep', '100'];
    });
    expect(
      sh(`cp -r ${bundle.bundle} bundle && "$OCI" --root state create -b bundle words </dev/null >oci.log 2>&1 && "$OCI" --root state start words`),
    ).toEqual(fine(''));
    expect(sh(`"$OCI" --root state exec words ${PRINT}`)).toMatchObject({ status: 0, stdout: told });
    expect(JSON.parse(sh('"$OCI" --root state state words').stdout).bundle).toBe(`${at.join('host')}/bad\udcff \udce9/bundle`);
    expect(sh('"$OCI" --root state delete --force words; rm -r bundle')).toMatchObject({ status: 0 });
  });
});

describe('variables are bytes', () => {
  const shown = `sh -c 'i=0; while [ $i -lt ${WORDS.length} ]; do eval "printf \\"%s\\\\0\\" \\"\\$V$i\\""; i=$((i+1)); done'`;
  const assigned = WORDS.map((each, i) => `V${i}=${quoted(each)}`);

  test('of -e', () => expect(sh(`"$L" run ${assigned.map((each) => `-e ${each}`).join(' ')} busybox ${shown}`)).toEqual(fine(told)));
  test('that are passed on', () => {
    const names = WORDS.map((_, i) => `-e V${i}`).join(' ');
    expect(sh(`export ${assigned.join(' ')}; "$L" run ${names} busybox ${shown}`)).toEqual(fine(told));
    expect(sh(`export ${assigned.join(' ')}; "$L" try -n ${shown}`)).toEqual(fine(told));
  });
  test('of a file', () => {
    // A line is not more than that: no newlines, no carriage return at its end.
    const lines = WORDS.map((each) => Buffer.from(each.map((byte) => (byte === 0x0a || byte === 0x0d ? 0xff : byte))));
    writeFileSync(inside('v\xfe.env'), Buffer.concat(lines.flatMap((each, i) => [Buffer.from(`V${i}=`), each, Buffer.from('\n')])));
    const expected = lines.map((each) => `${each.toString('latin1')}\0`).join('');
    expect(sh(`"$L" run --env-file v${quoted(Buffer.of(0xfe))}.env busybox ${shown}`)).toEqual(fine(expected));
    expect(sh(`"$L" run -d --name up --env-file v*.env busybox sleep 100 >/dev/null; "$L" exec up ${shown}; "$L" rm -f up >/dev/null`)).toEqual(fine(expected));
  });
  test('HOME among them, which a store may be in', () => {
    expect(
      sh('mkdir home; unset LAMELLA_ROOT XDG_DATA_HOME; HOME=$PWD/home XDG_DATA_HOME=$PWD/home "$L" images; LAMELLA_ROOT=$PWD/home/store "$L" images'),
    ).toMatchObject({
      status: 0,
    });
  });
});

describe('paths are bytes', () => {
  test('the current directory of try', () => {
    expect(sh('"$L" try -y \'echo in > f\'')).toMatchObject({ status: 0 });
    expect(readFileSync(inside('f'), 'latin1')).toBe('in\n');
    expect(sh('mkdir box; "$L" try -D box \'pwd; echo more >> f\'')).toMatchObject({ status: 0, stdout: `${here.toString('latin1')}\n` });
    expect(sh('"$L" try -D box \'cat f\'')).toMatchObject({ status: 0, stdout: 'in\nmore\n' });
    expect(readFileSync(inside('f'), 'latin1')).toBe('in\n');
  });

  test('what try makes, changes and removes, and what is applied of it', () => {
    const names = WORDS.map((each) => Buffer.concat([Buffer.from('n'), each]));
    expect(sh(`"$L" try -y sh -c 'for n; do printf "%s\\n" "$n" > "$n"; done' sh ${names.map(quoted).join(' ')}`)).toMatchObject({ status: 0 });
    for (const name of names) expect(readFileSync(inside(name.toString('latin1')), 'latin1')).toBe(`${name.toString('latin1')}\n`);
    const id = sh(`"$L" try -n sh -c 'rm -- "$@"; : > k\\\\377; mkdir d; : > "d/$1"' sh ${names.map(quoted).join(' ')}`).stderr.trim();
    expect(sh(`"$L" apply ${id}`)).toMatchObject({ status: 0 });
    for (const name of names) expect(existsSync(inside(name.toString('latin1')))).toBe(false);
    expect(existsSync(inside(`d/${names[0]?.toString('latin1')}`))).toBe(true);
    expect(sh(`"$L" apply --undo ${id}`)).toMatchObject({ status: 0 });
    for (const name of names) expect(existsSync(inside(name.toString('latin1')))).toBe(true);
    const other = sh(`"$L" try -n sh -c 'for n; do rm "$n"; done' sh ${names.map(quoted).join(' ')}`).stderr.trim();
    const [first = Buffer.of()] = names;
    expect(sh(`"$L" apply ${other} "$PWD/"${quoted(first)}`)).toMatchObject({ status: 0 });
    expect(names.filter((name) => !existsSync(inside(name.toString('latin1'))))).toEqual([first]);
  });

  test('volumes, places inside, and files of commands', () => {
    expect(sh(`"$L" run -v .:/d -v "$PWD":/e:ro busybox sh -c 'echo written > /d/g; cat /e/g'`)).toEqual(fine('written\n'));
    expect(readFileSync(inside('g'), 'latin1')).toBe('written\n');
    expect(sh(`"$L" run --rm -v .:/d:overlay busybox sh -c 'echo other > /d/g'`)).toEqual(fine(''));
    expect(readFileSync(inside('g'), 'latin1')).toBe('written\n');
    const place = quoted(Buffer.from('/w\xff\xfe', 'latin1'));
    expect(sh(`"$L" run -w ${place} busybox pwd`)).toEqual(fine('/w\xff\xfe\n'));
    expect(sh(`"$L" run -v .:${place} busybox cat ${place}/g`)).toEqual(fine('written\n'));
    expect(sh(`"$L" run --tmpfs ${place} busybox sh -c 'grep -c "^tmpfs /w" /proc/mounts'`)).toEqual(fine('1\n'));
    expect(sh(`"$L" run --cidfile ${quoted(Buffer.of(0x63, 0xff))} busybox true`)).toEqual(fine(''));
    expect(readFileSync(inside('c\xff'), 'latin1')).toMatch(/^[0-9a-f]{12}$/);
    writeFileSync(inside('p\xff.json'), '{ "defaultAction": "SCMP_ACT_ALLOW" }');
    expect(sh(`"$L" run --security-opt seccomp=${quoted(Buffer.from('p\xff.json', 'latin1'))} busybox true`)).toEqual(fine(''));
  });

  test('what cp copies', () => {
    mkdirSync(inside('tree'));
    const names = WORDS.map((each) => `c${each.toString('latin1')}`);
    for (const name of names) writeFileSync(inside(`tree/${name}`), name, 'latin1');
    expect(sh('"$L" run -d --name copies busybox sleep 100')).toMatchObject({ status: 0 });
    expect(sh(`"$L" cp tree copies:/ && "$L" cp copies:/tree/. again${quoted(Buffer.of(0xff))}`)).toEqual(fine(''));
    expect(namesBelow(inside('again\xff')).sort()).toEqual([...new Set(names)].sort());
    for (const name of names.slice(0, 2)) {
      const word = quoted(latin1(name));
      expect(sh(`"$L" cp ./tree/${word} copies:/ && "$L" exec copies cat /${word} && mkdir -p out && "$L" cp copies:/${word} out`)).toEqual(fine(name));
      expect(readFileSync(inside(`out/${name}`), 'latin1')).toBe(name);
    }
    expect(sh('"$L" rm -f copies')).toMatchObject({ status: 0 });
  });

  test('archives, and a store', () => {
    const tar = quoted(Buffer.from('t\xff.tar', 'latin1'));
    expect(sh(`"$L" save busybox -o ${tar} && "$L" load --root ./s${quoted(Buffer.of(0xff))} ${tar}`)).toMatchObject({
      status: 0,
    });
    expect(sh(`"$L" run --root ./s${quoted(Buffer.of(0xff))} busybox echo ran`)).toEqual(fine('ran\n'));
    expect(sh(`"$L" load ${tar}`)).toMatchObject({ status: 0 });
    expect(sh(`"$L" run docker-archive:${tar} echo ran`)).toMatchObject({ status: 0, stdout: 'ran\n' });
    expect(sh(`"$L" create --name exported busybox true && "$L" export exported -o ${quoted(Buffer.of(0x65, 0xff))} && "$L" rm exported`)).toMatchObject({
      status: 0,
    });
    expect(existsSync(inside('e\xff'))).toBe(true);
  });

  test('what is told of them, in JSON without a loss', () => {
    const word = quoted(Buffer.from('l\xff', 'latin1'));
    expect(sh(`"$L" run -d --name told -v .:/d:overlay -l key=${word} busybox sh -c ': > /d/'${word}`)).toMatchObject({ status: 0 });
    expect(sh('"$L" wait told')).toMatchObject({ status: 0 });
    const [inspected] = JSON.parse(sh('"$L" inspect told').stdout) as [{ Config: { Labels: unknown } }];
    expect(inspected.Config.Labels).toEqual({ key: 'l\udcff' });
    const changes = JSON.parse(sh('"$L" changes --json told').stdout) as { path: string }[];
    expect(JSON.stringify(changes)).toContain('/d/l\\udcff');
    expect(sh('"$L" rm told')).toMatchObject({ status: 0 });
  });

  test('and where there can be none it is refused', () => {
    const word = quoted(Buffer.of(0xff));
    expect(sh(`"$L" run --name ${word} busybox true`)).toMatchObject({ status: 125, stderr: expect.stringContaining('cannot be the name of a container') });
    expect(sh(`"$L" tag busybox ${word}`)).toMatchObject({ status: 125, stderr: expect.stringContaining('is not an image name') });
    expect(sh(`"$L" run -u ${word} busybox true`)).toMatchObject({ status: 125 });
    expect(path.basename(at.join('host'))).toBe('host');
  });
});
