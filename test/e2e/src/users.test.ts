import { spawnSync } from 'node:child_process';
import { chmodSync, readFileSync } from 'node:fs';
import { busyboxArchive, requiresRoot, type ScratchDirectory, scratch } from '@lamella-test/scratch';
import { ociLayout, tarArchive } from '@lamella-test/tree';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fails, rootUser, subIdUser, succeeds, type TestUser } from './test-user.js';

/** The user that a command runs as, when the image and the command line say different things. */
const PASSWD = `root:x:0:0:root:/root:/bin/sh
1000:x:0:0::/root:/bin/sh
65534:x:0:0::/root:/bin/sh
4294967296:x:0:0::/root:/bin/sh
app:x:1000:1001::/srv:/bin/sh
odd:x:what:0::/:/bin/sh
`;
const GROUP = 'root:x:0:\napp:x:1001:\nwheel:x:10:app\n1001:x:0:\n';
const SHOW = ['sh', '-c', 'echo $(id -u) $(id -g) $(sed -n "s/^Groups:\\s*//p" /proc/self/status)'];

let at: ScratchDirectory;
beforeAll(() => {
  at = scratch();
  chmodSync(at.path, 0o755);
  const layers = [
    readFileSync(busyboxArchive()),
    tarArchive([
      { name: 'etc/passwd', data: PASSWD },
      { name: 'etc/group', data: GROUP },
    ]),
  ];
  ociLayout(at.join('plain'), layers, { compress: 'none' });
  ociLayout(at.join('numbered'), layers, { compress: 'none', config: { User: '1000' } });
  ociLayout(at.join('wide'), layers, { compress: 'none', config: { User: '4294967296' } });
  spawnSync('chmod', ['-R', 'a+rX', at.path]);
});
afterAll(() => at[Symbol.asyncDispose]());

/** A user with a store that has the images. */
function withImages(place: ScratchDirectory, make: (at: ScratchDirectory) => TestUser): TestUser {
  const who = make(place);
  for (const image of ['plain', 'numbered', 'wide']) expect(who.lamella(['load', at.join(image), image]).status).toBe(0);
  return who;
}

const CASES: readonly (readonly [who: string, make: (at: ScratchDirectory) => TestUser, flags: readonly string[]])[] = [
  ['root', rootUser, []],
  ['root, in a user namespace of its own', rootUser, ['--userns', 'auto']],
  ['an ordinary user with sub-ids', subIdUser, []],
];

test.for(CASES)('a number is a number, and the primary group is a group, for %s', async ([, make, flags], context) => {
  requiresRoot(context);
  await using place = scratch();
  const who = withImages(place, make);
  const run = (image: string, ...more: string[]): string => succeeds(who, ['run', ...flags, ...more, image, ...SHOW]);
  expect([run('plain', '-u', '1000'), run('plain', '-u', '4242'), run('numbered')]).toEqual(['1000 1001 10 1001', '4242 0 0', '1000 1001 10 1001']);
  expect(fails(who, ['run', ...flags, 'wide', ...SHOW])).toContain("'4294967296' is not the number of a user or group");
  expect(fails(who, ['run', ...flags, '-u', 'odd', 'plain', ...SHOW])).toContain("the number of the user 'odd' is 'what'");
});

test('who else may be named, for root', async (context) => {
  requiresRoot(context);
  await using place = scratch();
  const who = withImages(place, rootUser);
  const run = (...more: string[]): string => succeeds(who, ['run', ...more, 'plain', ...SHOW]);
  expect([run('-u', 'app'), run('-u', '1000:1001'), run('-u', ':1001'), run()]).toEqual(['1000 1001 10 1001', '1000 1001 1001', '0 1001 1001', '0 0 0']);
});

test('an exec takes numbers for numbers, too, and what the container wrote into its passwd', async (context) => {
  requiresRoot(context);
  await using place = scratch();
  const who = withImages(place, rootUser);
  const id = succeeds(who, ['run', '-d', 'plain', 'sh', '-c', 'echo 77:x:0:0::: >>/etc/passwd; echo new:x:78:79::: >>/etc/passwd; sleep 1000']);
  const exec = (...more: string[]): string => succeeds(who, ['exec', ...more, id, ...SHOW]);
  try {
    expect([exec('-u', '1000'), exec('-u', '65534'), exec()]).toEqual(['1000 1001 10 1001', '65534 0 0', '0 0 0']);
    expect([exec('-u', '77'), exec('-u', 'new')]).toEqual(['77 0 0', '78 79 79']);
    expect(fails(who, ['exec', '-u', '4294967295', id, ...SHOW])).toContain('is not the number of a user or group');
  } finally {
    succeeds(who, ['rm', '-f', id]);
  }
});
