import { execFileSync, spawnSync } from 'node:child_process';
import { accessSync, chmodSync, chownSync, constants, copyFileSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { busyboxArchive, mountsBelow, requiresRoot, type ScratchDirectory, scratch, skip } from '@lamella-test/scratch';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { CLI } from './cli.js';

/** Somebody with no rights, no entry in /etc/subuid, and no home but the one given here. */
const SOMEBODY = { uid: 65534, gid: 65534 };
let at: ScratchDirectory;

beforeAll(() => {
  at = scratch();
  chmodSync(at.path, 0o755);
  for (const name of ['home', 'work']) {
    mkdirSync(at.join(name));
    chownSync(at.join(name), SOMEBODY.uid, SOMEBODY.gid);
  }
  copyFileSync(busyboxArchive(), at.join('work/busybox.tar'));
  chmodSync(at.join('work/busybox.tar'), 0o644);
});
afterAll(() => at[Symbol.asyncDispose]());
beforeEach((context) => {
  requiresRoot(context);
  const readable = spawnSync(process.execPath, ['-e', `require('fs').accessSync(${JSON.stringify(CLI)})`], { ...SOMEBODY, cwd: '/' });
  if (readable.status !== 0) skip(context, 'another user cannot read this checkout');
  const namespaces = spawnSync('unshare', ['-Ur', 'true'], { ...SOMEBODY, cwd: '/' });
  if (namespaces.status !== 0) skip(context, 'ordinary users cannot make user namespaces here');
});

function lamella(args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...args], {
    ...SOMEBODY,
    cwd: '/',
    encoding: 'utf8',
    env: { PATH: process.env.PATH, HOME: at.join('home') },
  });
  return { status, stdout, stderr };
}

test('imports an image into the home directory and runs it', () => {
  expect(lamella(['import', at.join('work/busybox.tar'), 'busybox'])).toMatchObject({ status: 0, stderr: '' });
  expect(readdirSync(at.join('home/.local/share/lamella'))).toContain('layers');
  const script = 'id -u; echo $$; ls /proc | grep -c "^[0-9]"; echo new > /new; rm -r /home /bin/vi; ls /; ls /dev | wc -l; hostname';
  const result = lamella(['run', '--hostname', 'mine', 'busybox', 'sh', '-c', script]);
  expect(result).toMatchObject({ status: 0, stderr: '' });
  expect(result.stdout.split('\n').slice(0, 3)).toEqual(['0', '1', expect.stringMatching(/^[2-5]$/)]);
  expect(result.stdout).toContain('\nnew\n');
  expect(lamella(['run', 'busybox', 'ls', '/etc']).stdout).toContain('passwd');
});

test('has statuses, flags and errors like root', () => {
  expect(lamella(['run', 'busybox', 'sh', '-c', 'exit 9']).status).toBe(9);
  expect(lamella(['run', 'busybox', 'nosuch']).status).toBe(127);
  expect(lamella(['run', '--read-only', '--tmpfs', '/t', '-e', 'A=b', '-w', '/t', 'busybox', 'sh', '-c', 'touch x && pwd && echo $A; touch /x'])).toMatchObject(
    { status: 1, stdout: '/t\nb\n' },
  );
  expect(lamella(['run', '--network', 'host', 'busybox', 'ls', '/sys/class/net']).stdout.trim().split('\n').sort()).toEqual(
    readdirSync('/sys/class/net').sort(),
  );
  const other = lamella(['run', '-u', '1000', 'busybox', 'id']);
  expect(other).toMatchObject({ status: 125, stderr: expect.stringContaining('one id here') });
});

test('writes into a volume as itself', () => {
  const result = lamella(['run', '-v', `${at.join('home')}:/home/me`, 'busybox', 'sh', '-c', 'echo x > /home/me/file; stat -c %u /home/me/file']);
  expect(result).toEqual({ status: 0, stdout: '0\n', stderr: '' });
  expect(execFileSync('stat', ['-c', '%u', at.join('home/file')], { encoding: 'utf8' })).toBe('65534\n');
});

test('keeps, lists and throws away', () => {
  expect(lamella(['run', '--keep', '--name', 'kept', 'busybox', 'rm', '-r', '/home', '/bin/vi'])).toMatchObject({
    status: 0,
    stderr: expect.stringContaining('kept '),
  });
  expect(lamella(['sweep', '--kept']).stdout).toBe('released kept\n');
  expect(readdirSync(at.join('home/.local/share/lamella/containers')).filter((name) => !name.startsWith('.'))).toEqual([]);
});

test('runs in a workspace, whose image stays and all else goes', () => {
  const result = lamella(['run', '--workspace', at.join('work'), 'busybox', 'sh', '-c', 'echo x > /new; rm /etc/group; echo done']);
  expect(result).toEqual({ status: 0, stdout: 'done\n', stderr: '' });
  expect(readdirSync(at.join('work')).sort()).toEqual(['busybox', 'busybox.tar']);
});

test('is told by doctor what works', () => {
  const { status, stdout } = lamella(['doctor']);
  expect(stdout).toMatch(/namespaces +ok +user mount pid/);
  expect(stdout).toMatch(/overlay +ok/);
  expect(status).toBe(0);
});

test('leaves nothing behind that another could not remove', () => {
  expect(lamella(['rmi', 'busybox'])).toMatchObject({ status: 0 });
  expect(readdirSync(at.join('home/.local/share/lamella/layers'))).toEqual([]);
  expect(mountsBelow(at.path)).toEqual([]);
  accessSync(at.join('home'), constants.W_OK);
  expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(at.path);
});
