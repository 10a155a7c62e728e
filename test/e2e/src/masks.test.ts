import { spawnSync } from 'node:child_process';
import { chmodSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { busyboxArchive, requiresRoot, type ScratchDirectory, scratch } from '@lamella-test/scratch';
import { ociLayout, tarArchive } from '@lamella-test/tree';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { allCells, type Cell, KINDS, LINKS } from './mount-cells.js';
import { ordinaryUser, rootUser, subIdUser, type TestUser } from './test-user.js';
import type { Walk, Walked } from './walk-mounts.js';

/**
 * Every kind of mount at every place that confines a container, written in every way and behind links, by everybody: a
 * container is refused, or what confines it is in place. In the short form a part of all that.
 */
const WALKER = path.join(import.meta.dirname, '../dist/walk-mounts.js');
const LONG = Boolean(process.env.LAMELLA_LONG);
const CONFINING = ['/proc', '/sys', '/dev'];
const isConfined = (place: string): boolean => CONFINING.some((each) => place === each || place.startsWith(`${each}/`));

const WALKS: readonly (readonly [who: string, make: (at: ScratchDirectory) => TestUser, spec: Walk['spec'], every: number])[] = [
  ['root', rootUser, {}, 97],
  ['root, with a read-only root', rootUser, { readonlyRoot: true }, 421],
  ['root, in a user namespace of its own', rootUser, { userns: { mode: 'auto' } }, 421],
  ["root, with the host's network", rootUser, { network: 'host' }, 421],
  ['an ordinary user', ordinaryUser, {}, 421],
  ["an ordinary user, with the host's network", ordinaryUser, { network: 'host' }, 421],
  ['an ordinary user with sub-ids', subIdUser, {}, 421],
];

/** What must be possible, because the flag asks for it. */
const POSSIBLE: readonly (readonly [kind: Cell['kind'], destination: string])[] = [
  ['directory', '/dev'],
  ['directory', '/dev/shm'],
  ['directory', '/dev/new'],
  ['read-only directory', '/dev/shm/'],
  ['directory', '/sys'],
  ['directory', '//sys/firmware'],
  ['tmpfs', '/dev/shm'],
  ['tmpfs', '/sys'],
  ['file', '/proc/uptime'],
  ['file', '/dev/null'],
  ['directory', '/process'],
  ['overlay', '/data'],
  ['procfs', '/proc'],
  ['procfs', '/data'],
  ['device', '/dev/new'],
  ['device', '/dev/null'],
  ['device', '/dev/fd'],
  ['device', '/dev/ptmx'],
];
const isPossible = (cell: Cell): boolean => POSSIBLE.some(([kind, destination]) => cell.kind === kind && cell.destination === destination);

/** Cells that are walked in the short form, too. */
const isCentral = (cell: Cell): boolean =>
  isPossible(cell) ||
  (['/proc', '/proc/sys', '/dev', '/sys', '/dev/null', '/proc/kcore'].includes(cell.real) &&
    ['volume of the image', 'directory'].includes(cell.kind) &&
    ['/proc', '/links/again', '/up/proc', '/links/kernel', '/proc/sys', '/links/dev', '/sys/..//sys', '/up/dev/null'].includes(cell.destination));

let at: ScratchDirectory;
const sources = () => ({ directory: at.join('shown'), file: at.join('shown/file') });
const cells = allCells();

const made = new Map<string | undefined, string>();
/** Blobs of layers that an image has already. */
const layers: string[] = [];

/** An image with a volume; its layers are the same files for all. */
function image(volume: string | undefined): string {
  const known = made.get(volume);
  if (known !== undefined) return known;
  const directory = at.join(`images/${made.size}`);
  const { blobs } = ociLayout(
    directory,
    [
      readFileSync(busyboxArchive()),
      tarArchive([{ name: 'links/', type: '5' }, ...Object.entries(LINKS).map(([each, linkname]) => ({ name: each, type: '2', linkname }) as const)]),
    ],
    { compress: 'none', config: volume === undefined ? {} : { Volumes: { [volume]: {} } } },
  );
  if (!layers.length) layers.push(...blobs);
  else
    for (const [i, blob] of blobs.entries()) {
      rmSync(blob);
      linkSync(layers[i] as string, blob);
    }
  made.set(volume, `oci:${directory}`);
  return `oci:${directory}`;
}

beforeAll(() => {
  at = scratch();
  chmodSync(at.path, 0o755);
  mkdirSync(at.join('shown'));
  for (const name of ['file', 'core_pattern']) writeFileSync(at.join(`shown/${name}`), 'of the host');
});
afterAll(() => at[Symbol.asyncDispose]());

interface Seen {
  /** Mount points at and below what confines. */
  readonly points: readonly string[];
  readonly lines: readonly string[];
}

function seenIn(out: string): Seen {
  const lines = out.split('\n');
  const points = lines.flatMap((line) => (line.startsWith('mount ') ? [line.split(' ')[1] ?? ''] : [])).filter(isConfined);
  return { points, lines };
}

/** What is not as it has to be. */
function wrongIn(cell: Cell, { out, code, message = '' }: Walked, usual: Seen): string | undefined {
  const isVolume = cell.kind === 'volume of the image';
  if (code !== undefined) {
    if (isPossible(cell)) return `refused: ${code}: ${message}`;
    if (isVolume && (isConfined(cell.written) || cell.written === '/')) return `an image with it cannot be used: ${code}: ${message}`;
    return /^(?:MOUNT|VOLUME|DEVICE)_[A-Z]+/.test(code) ? undefined : `refused without an explanation: ${code}: ${message}`;
  }
  const { points, lines } = seenIn(out ?? '');
  if (!lines.includes('ended')) return `the probe did not end: ${out}`;
  const behindLink = cell.written !== cell.real;
  if (behindLink && (isConfined(cell.real) || cell.real === '/')) return 'a link led there';
  if (cell.real === '/' && !isVolume) return 'it is over the root';
  const left = [...usual.points];
  const more = points.filter((point) => {
    const i = left.indexOf(point);
    if (i >= 0) left.splice(i, 1);
    return i < 0;
  });
  // A mount of the host's brings those below it along, and what is in it is masked once more.
  const meant = (point: string): boolean => !isVolume && isConfined(cell.written) && (point === cell.written || point.startsWith(`${cell.written}/`));
  const stray = more.find((point) => !meant(point));
  if (stray !== undefined) return `${stray} is mounted, which is not usual`;
  // Devices that are taken from the host are mounts; those that Lamella creates are not.
  const isShown = lines.find((line) => /^(?:file|directory) /.test(line) && !line.endsWith(' 0') && !isUsersOwn(cell, line));
  if (isShown) return `not masked: ${isShown}`;
  return lines.find((line) => line.startsWith('writable ') && !isUsersOwn(cell, line));
}

/** What the user's own directory has at such a path is not the kernel's. */
function isUsersOwn({ kind, written }: Cell, line: string): boolean {
  return kind !== 'procfs' && kind !== 'volume of the image' && written === '/sys' && line.includes(' /sys/');
}

describe.each(WALKS)('by %s', (_, make, spec, every) => {
  test('nothing gets over what confines a container but what the user says exactly', { timeout: 3_600_000 }, async (context) => {
    requiresRoot(context);
    await using place = scratch();
    const who = make(place);
    who.require(context);
    const chosen = cells.filter((cell, i) => LONG || (every < 100 && isCentral(cell)) || i % every === 0);
    const images = Object.fromEntries(chosen.filter(({ kind }) => kind === 'volume of the image').map(({ destination }) => [destination, image(destination)]));
    const [plain, root] = ['plain', `${who.home}/store`];
    const directory = image(undefined).replace('oci:', '');
    spawnSync('chmod', ['-R', 'a+rX', at.path]);
    expect(who.lamella(['load', '--root', root, directory, plain]).status).toBe(0);
    const none: Cell = { kind: 'directory', destination: '/data', written: '/data', real: '/data' };
    const walked: Walked[] = [];
    const todo = [none, ...chosen];
    // A command line holds so much.
    for (let i = 0; i < todo.length; i += 300) {
      const walk: Walk = { root, spec, image: plain, images, sources: sources(), cells: todo.slice(i, i + 300) };
      const { stdout, stderr } = who.run(process.execPath, [WALKER, JSON.stringify({ ...walk, images: only(images, walk.cells) })]);
      expect(stderr).toBe('');
      walked.push(
        ...stdout
          .split('\n')
          .filter(Boolean)
          .map((line) => JSON.parse(line) as Walked),
      );
    }
    expect(walked.length).toBe(todo.length);
    const [first, ...rest] = walked;
    const usual = seenIn(first?.out ?? '');
    expect(usual.points).toEqual(expect.arrayContaining([...CONFINING, '/dev/shm', '/proc/sys']));
    const wrong = rest.flatMap((each, i) => {
      const cell = chosen[i] as Cell;
      const found = wrongIn(cell, each, usual);
      return found === undefined ? [] : [`${cell.kind} at ${cell.destination}: ${found}`];
    });
    expect(wrong).toEqual([]);
    // Both happen, of every kind.
    if (LONG)
      for (const kind of KINDS)
        for (const refused of [true, false])
          expect(rest.filter(({ code }, i) => chosen[i]?.kind === kind && (code !== undefined) === refused).length, kind).toBeGreaterThan(5);
  });
});

function only(images: Readonly<Record<string, string>>, chosen: readonly Cell[]): Record<string, string> {
  return Object.fromEntries(chosen.flatMap(({ destination }) => (images[destination] === undefined ? [] : [[destination, images[destination]]])));
}
