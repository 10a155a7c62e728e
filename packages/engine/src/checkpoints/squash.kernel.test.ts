import { lstatSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { busyboxArchive, requiresRoot, type ScratchDirectory, scratch, until } from '@lamella-test/scratch';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { Containers, ImageStore, type StoredContainer } from '../index.js';
import { KEPT } from './squash.js';
import { LONG } from './states.js';

let at: ScratchDirectory;
let root: string;
let containers: Containers;
beforeAll(async () => {
  at = scratch();
  root = at.join('store');
  containers = new Containers(root);
  await new ImageStore(root).import(busyboxArchive(), 'busybox');
});
beforeEach((context) => requiresRoot(context));
afterAll(() => at[Symbol.asyncDispose]());

const sh = async (container: StoredContainer, script: string): Promise<string> =>
  String((await (await container.run({ args: ['sh', '-c', script] })).result).stdout);
const depth = async (container: StoredContainer): Promise<number> => (await container.writableMounts())[0].frozen.length;

/** The whole tree as processes see it inside, except the mounts. */
const DESCRIBE = `cd /; find . -xdev -mindepth 1 ! -path './etc/host*' ! -path './etc/resolv.conf' ! -path ./proc ! -path ./sys ! -path ./dev | sort | while read -r f; do stat -c '%n %F %a %u:%g %Y' "$f"; [ -f "$f" ] && [ ! -L "$f" ] && md5sum <"$f"; [ -L "$f" ] && readlink "$f"; done`;

/** A small random generator, so that what fails fails again. */
function dice(seed: number): (count: number) => number {
  let state = seed;
  return (count) => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return (state >> 8) % count;
  };
}

const NAMES = ['a', 'b', 'd/a', 'd/e', 'd/e/f', 'etc/passwd', 'etc/new', 'home', 'home/x', 'bin/ls', 'usr/sbin'] as const;

function step(roll: (count: number) => number): string {
  const name = `/${NAMES[roll(NAMES.length)]}`;
  const other = `/${NAMES[roll(NAMES.length)]}`;
  switch (roll(8)) {
    case 0:
      return `rm -rf ${name}`;
    case 1:
      return `mkdir -p ${name}`;
    case 2:
      return `ln -s ${other} ${name}`;
    case 3:
      return `rm -rf ${name}; mkdir -p ${name}; echo inside >${name}/own`;
    case 4:
      return `chmod ${[700, 755, 1777, 711][roll(4)]} ${name}; chown ${roll(3)}:${roll(3)} ${name}`;
    case 5:
      return `mv ${name} ${other}`;
    case 6:
      return `ln ${name} ${other}`;
    default:
      return `echo ${roll(1000)} >>${name}`;
  }
}

test.each([1, 2, 3])('a long chain is squashed, and nobody can tell (%s)', { timeout: 300_000 }, async (seed) => {
  const roll = dice(seed);
  const one = await containers.create({ image: 'busybox' });
  const seen: { id: string; tree: string }[] = [];
  for (let i = 0; i < 20; i++) {
    const script = Array.from({ length: 6 }, () => step(roll)).join('; ');
    const tree = await sh(one, `(${script}) >/dev/null 2>&1; ${DESCRIBE}`);
    seen.push({ id: (await one.checkpoint()).id, tree });
  }
  expect(await depth(one)).toBe(20);
  await one.squash();
  expect(await depth(one)).toBe(KEPT + 1);
  // The content is the same after continuing, after a fork, and after a rollback.
  expect(await sh(one, DESCRIBE)).toBe(seen.at(-1)?.tree);
  const [fork] = await one.fork();
  expect(await sh(fork as StoredContainer, DESCRIBE)).toBe(seen.at(-1)?.tree);
  for (const i of [3, 11, 15]) {
    await one.rollback(seen[i]?.id);
    expect(await sh(one, DESCRIBE)).toBe(seen[i]?.tree);
  }
  const { checkpoints } = await one.history();
  expect(checkpoints.map(({ parent }) => parent)).toEqual([undefined, ...seen.slice(0, -1).map(({ id }) => id)]);
  await one.remove();
  await fork?.remove();
  expect(readdirSync(path.join(root, 'frozen'))).toEqual([]);
});

test('it is done by itself when there are many, and what is killed on the way is taken away', async () => {
  const one = await containers.create({ image: 'busybox' });
  await sh(one, 'echo first >/first; dd if=/dev/zero of=/large bs=1M count=1 2>/dev/null');
  for (let i = 0; i <= LONG; i++) {
    await sh(one, `echo ${i} >/count; touch /file-${i}`);
    await one.checkpoint();
  }
  await until(async () => (await depth(one)) <= LONG);
  expect(await depth(one)).toBe(KEPT + 1);
  expect(await sh(one, 'cat /first /count; ls / | grep -c file-; stat -c %s /large')).toBe(`first\n${LONG}\n${LONG + 1}\n1048576`);
  // Links to the same files: no space.
  const squashed = readdirSync(path.join(root, 'frozen')).find((id) => lstatSync(path.join(root, 'frozen', id, 'squashed'), { throwIfNoEntry: false }));
  expect(statSync(path.join(root, 'frozen', squashed ?? '', 'upper/large')).nlink).toBe(2);
  mkdirSync(path.join(root, 'frozen/.squash-0/upper'), { recursive: true });
  writeFileSync(path.join(root, 'frozen/.squash-0/lock'), '');
  await one.remove();
  expect(readdirSync(path.join(root, 'frozen'))).toEqual([]);
});
