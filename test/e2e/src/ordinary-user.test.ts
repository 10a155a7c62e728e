import { execFileSync } from 'node:child_process';
import { accessSync, chmodSync, chownSync, constants, copyFileSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { busyboxArchive, mountsBelow, requiresRoot, type ScratchDirectory, scratch } from '@lamella-test/scratch';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ordinaryUser, subIdUser, type TestUser } from './test-user.js';

describe.each([
  ['without ids of its own beside one', false],
  ['with ids in /etc/subuid', true],
] as const)('an ordinary user %s', (_, subIds) => {
  let at: ScratchDirectory;
  let who: TestUser;

  beforeAll(() => {
    at = scratch();
    who = subIds ? subIdUser(at) : ordinaryUser(at);
    mkdirSync(at.join('work'));
    chownSync(at.join('work'), who.uid, who.uid);
    copyFileSync(busyboxArchive(), at.join('work/busybox.tar'));
    chmodSync(at.join('work/busybox.tar'), 0o644);
  });
  afterAll(() => at[Symbol.asyncDispose]());
  beforeEach((context) => {
    requiresRoot(context);
    who.require(context);
  });

  test('imports an image into the home directory and runs it', () => {
    expect(who.lamella(['import', at.join('work/busybox.tar'), 'busybox'])).toMatchObject({ status: 0, stderr: '' });
    expect(readdirSync(`${who.home}/.local/share/lamella`)).toContain('layers');
    const script = 'id -u; echo $$; ls /proc | grep -c "^[0-9]"; echo new > /new; rm -r /home /bin/vi; ls /; ls /dev | wc -l; hostname';
    const result = who.lamella(['run', '--hostname', 'mine', 'busybox', 'sh', '-c', script]);
    expect(result).toMatchObject({ status: 0, stderr: '' });
    expect(result.stdout.split('\n').slice(0, 3)).toEqual(['0', '1', expect.stringMatching(/^[2-5]$/)]);
    expect(result.stdout).toContain('\nnew\n');
    expect(who.lamella(['run', 'busybox', 'ls', '/etc']).stdout).toContain('passwd');
  });

  test('has statuses, flags and errors like root', () => {
    expect(who.lamella(['run', 'busybox', 'sh', '-c', 'exit 9']).status).toBe(9);
    expect(who.lamella(['run', 'busybox', 'nosuch']).status).toBe(127);
    expect(
      who.lamella(['run', '--read-only', '--tmpfs', '/t', '-e', 'A=b', '-w', '/t', 'busybox', 'sh', '-c', 'touch x && pwd && echo $A; touch /x']),
    ).toMatchObject({ status: 1, stdout: '/t\nb\n' });
    expect(who.lamella(['run', '--network', 'host', 'busybox', 'ls', '/sys/class/net']).stdout.trim().split('\n').sort()).toEqual(
      readdirSync('/sys/class/net').sort(),
    );
    const other = who.lamella(['run', '-u', '1000', 'busybox', 'id', '-u']);
    if (subIds) expect(other).toEqual({ status: 0, stdout: '1000\n', stderr: '' });
    else expect(other).toMatchObject({ status: 125, stderr: expect.stringContaining('one id here') });
  });

  test('writes into a volume as itself', () => {
    const result = who.lamella(['run', '-v', `${who.home}:/home/me`, 'busybox', 'sh', '-c', 'echo x > /home/me/file; stat -c %u /home/me/file']);
    expect(result).toEqual({ status: 0, stdout: '0\n', stderr: '' });
    expect(execFileSync('stat', ['-c', '%u', `${who.home}/file`], { encoding: 'utf8' })).toBe(`${who.uid}\n`);
  });

  test('keeps, lists and throws away', () => {
    expect(who.lamella(['run', '--keep', '--name', 'kept', 'busybox', 'rm', '-r', '/home', '/bin/vi'])).toMatchObject({
      status: 0,
      stderr: expect.stringContaining('kept '),
    });
    expect(who.lamella(['sweep', '--kept']).stdout).toMatch(/^released [0-9a-f]{12}\n$/);
    expect(readdirSync(`${who.home}/.local/share/lamella/containers`).filter((name) => !name.startsWith('.'))).toEqual([]);
  });

  test('runs in a workspace, whose image stays and all else goes', () => {
    const result = who.lamella(['run', '--workspace', at.join('work'), 'busybox', 'sh', '-c', 'echo x > /new; rm /etc/group; echo done']);
    expect(result).toEqual({ status: 0, stdout: 'done\n', stderr: '' });
    expect(readdirSync(at.join('work')).sort()).toEqual(['busybox', 'busybox.tar']);
  });

  test('is told by doctor what works', () => {
    const { status, stdout } = who.lamella(['doctor']);
    expect(stdout).toMatch(/namespaces +(?:ok +user mount pid|missing +refused: time\n)/);
    expect(stdout).toMatch(/overlay +ok/);
    expect(status).toBe(0);
  });

  test('leaves nothing behind that another could not remove', () => {
    expect(who.lamella(['rmi', 'busybox'])).toMatchObject({ status: 0 });
    expect(readdirSync(`${who.home}/.local/share/lamella/layers`)).toEqual([]);
    expect(mountsBelow(at.path)).toEqual([]);
    accessSync(who.home, constants.W_OK);
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(at.path);
  });
});
