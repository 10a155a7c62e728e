import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { busyboxArchive, requiresRoot, type ScratchDirectory, scratch } from '@lamella-test/scratch';
import { ociLayout, tarArchive } from '@lamella-test/tree';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { CLI, type Outcome } from './cli.js';
import { subIdUser, type TestUser } from './test-user.js';

let at: ScratchDirectory;
let who: TestUser;

beforeAll(() => {
  at = scratch();
  who = subIdUser(at);
  ociLayout(at.join('layout'), [
    readFileSync(busyboxArchive()),
    tarArchive([
      { name: 'srv/', type: '5', uid: 33, gid: 34, mode: 0o2750 },
      { name: 'srv/page', data: 'x', uid: 33, gid: 34, mode: 0o640 },
      { name: 'closed/', type: '5', uid: 70, gid: 70, mode: 0o700 },
      { name: 'closed/inside', data: 'secret', uid: 70, gid: 70, mode: 0o600 },
    ]),
    tarArchive([{ name: 'srv/more', data: 'y', uid: 65533, gid: 1 }, { name: '.wh.home' }]),
  ]);
  spawnSync('chmod', ['-R', 'a+rX', at.join('layout')]);
});
afterAll(() => at[Symbol.asyncDispose]());
beforeEach((context) => {
  requiresRoot(context);
  who.require(context);
});
const lamella = (args: readonly string[], { path }: { path?: string } = {}): Outcome => who.lamella(args, path === undefined ? {} : { PATH: path });

function doctor(options: { path?: string } = {}): { state: string; detail: string } {
  const { stdout } = lamella(['doctor', '--json'], options);
  expect(stdout).toMatch(/^\[/);
  return JSON.parse(stdout).find(({ subject }: { subject: string }) => subject === 'sub-ids');
}

test('doctor tries them', () => {
  expect(doctor()).toEqual({ subject: 'sub-ids', state: 'ok', detail: '65536 users and 65536 groups beside your own' });
});

test('an image with many owners is unpacked with them, and shows them', () => {
  expect(lamella(['load', at.join('layout'), 'app'])).toMatchObject({ status: 0, stderr: '' });
  const { stdout, stderr } = lamella([
    'run',
    'app',
    'sh',
    '-c',
    'stat -c "%u:%g %a %n" /srv /srv/* /closed /closed/inside; cat /closed/inside; cat /proc/self/uid_map; ls /home',
  ]);
  expect(stderr).toBe('ls: /home: No such file or directory\n');
  expect(stdout.replace(/ +/g, ' ')).toBe(
    `33:34 2750 /srv\n65533:1 644 /srv/more\n33:34 640 /srv/page\n70:70 700 /closed\n70:70 600 /closed/inside\nsecret 0 ${who.uid} 1\n 1 300000 65536\n`,
  );
});

test('users, groups, chown and su work inside, and nothing is left of them', () => {
  const script =
    'chown 5:6 /bin; mkdir -p /a/b; chown -R 70:70 /a; chmod 700 /a/b /a; su -s /bin/sh nobody -c "id -u; touch /tmp/theirs"; stat -c %u:%g /bin /tmp/theirs';
  expect(lamella(['run', 'app', 'sh', '-c', script])).toEqual({ status: 0, stdout: '65534\n5:6\n65534:65534\n', stderr: '' });
  expect(lamella(['run', '-u', '1234:5', 'app', 'sh', '-c', 'id -u; id -g; cat /srv/page'])).toMatchObject({
    status: 1,
    stdout: '1234\n5\n',
    stderr: expect.stringContaining('Permission denied'),
  });
  expect(lamella(['run', '-t', '-u', 'nobody', 'app', 'tty']).stdout).toBe('/dev/pts/0\r\n');
  const left = spawnSync('find', [`${who.home}/.local/share/lamella/containers`, '-mindepth', '1', '-not', '-name', '.*'], { encoding: 'utf8' });
  expect(left.stdout).toBe('');
});

test('what is kept belongs to those ids, and is swept by who has them', () => {
  const kept = lamella(['run', '--keep', 'app', 'sh', '-c', 'mkdir -m 700 /theirs; touch /theirs/file; chown -R 70:70 /theirs']);
  expect(kept).toMatchObject({ status: 0, stderr: expect.stringMatching(/^kept /) });
  expect(lamella(['sweep', '--kept'])).toMatchObject({ status: 0 });
  const left = spawnSync('find', [`${who.home}/.local/share/lamella/containers`, '-mindepth', '1', '-not', '-name', '.*'], { encoding: 'utf8' });
  expect(left.stdout).toBe('');
});

test('a container that was killed with its monitor is released by the next command', () => {
  const script = `
    "$0" "$1" run --name killed app sh -c 'mkdir -m 700 /theirs; touch /theirs/file; chown -R 70:70 /theirs; echo ready; sleep 100' >"$HOME/out" &
    pid=$!; for i in $(seq 300); do grep -q ready "$HOME/out" && break; sleep 0.1; done; cat "$HOME/out"; kill -9 $(ps -o pid= --ppid $pid) $pid; sleep 0.5; "$0" "$1" run app true; ls "$HOME/.local/share/lamella/containers"`;
  const { stdout } = who.run('sh', ['-c', script, process.execPath, CLI]);
  expect(stdout).toBe('ready\n');
});

test('a helper that refuses is quoted, with what to do', () => {
  mkdirSync(at.join('bin'));
  for (const name of ['newuidmap', 'newgidmap']) writeFileSync(at.join('bin', name), '#!/bin/sh\necho "not for you" >&2; exit 1\n', { mode: 0o755 });
  const outcome = lamella(['run', 'app', 'true'], { path: `${at.join('bin')}:${process.env.PATH}` });
  expect(doctor({ path: `${at.join('bin')}:${process.env.PATH}` })).toMatchObject({ state: 'broken', detail: expect.stringContaining('not for you') });
  expect(outcome).toMatchObject({ status: 125, stderr: expect.stringMatching(/new[ug]idmap refuses the ids .*not for you\n {2}.*set-user-id root/s) });
});

test('an image is removed with all that is in it', () => {
  expect(lamella(['rmi', 'app'])).toMatchObject({ status: 0 });
  const left = spawnSync('find', [`${who.home}/.local/share/lamella/layers`, '-mindepth', '1'], { encoding: 'utf8' });
  expect(left.stdout).toBe('');
});
