import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { findUser } from '@lamella/namespace';
import { busyboxArchive, requiresProgram, requiresRoot, scratch, skip } from '@lamella-test/scratch';
import { expect, type TestContext, test } from 'vitest';
import { engine, removeCgroups } from './engine.js';

const PASSWD = `root:x:0:0:root:/root:/bin/sh
1000:x:0:0::/root:/bin/sh
4294967296:x:0:0::/root:/bin/sh
app:x:1000:1001:App:/srv/app:/bin/sh
app:x:5:5:a second one::
twin:x:1000:7::/twin:
short:x:1002
empty:x:1003::::
0x10:x:1007:1007:::
`;
const GROUP = 'root:x:0:\napp:x:1001:\nwheel:x:10:root,app\nwheel:x:11:nobody\naudio:x:29:app,twin\n1001:x:0:\n0:x:77:\nown:x:1001:app\n';
/** What a user can be called; podman refuses what is above 2^31, which the kernel takes. */
const ASKED = [
  ...['0', 'root', 'app', '1000', '+1000', '01000', '-0', 'twin', '4242', 'short', '1002', 'empty', '0x10'],
  ...[':', 'root:', 'app:', ':1000', ':wheel', '1000:1000', 'app:wheel', 'app:own', '4242:4343', '4242:app'],
  ...['-1', '4294967295', '4294967296', '0:4294967296', 'a:b:c', 'nobody-here', '0:nogroup', '0x0', ' 0'],
];

test('users are who podman says they are', { timeout: 300_000 }, async (context: TestContext) => {
  if (!process.env.LAMELLA_LONG) skip(context, 'podman takes a second for each user: LAMELLA_LONG=1');
  requiresRoot(context);
  for (const program of ['podman', 'runc', 'conmon']) requiresProgram(context, program);
  await using at = scratch();
  mkdirSync(at.join('rootfs/etc'), { recursive: true });
  execFileSync('tar', ['-xf', busyboxArchive(), '-C', at.join('rootfs')]);
  writeFileSync(at.join('rootfs/etc/passwd'), PASSWD);
  writeFileSync(at.join('rootfs/etc/group'), GROUP);
  const where = ['--root', at.join('root'), '--runroot', at.join('run'), '--cgroup-manager', 'cgroupfs', '--storage-driver', 'vfs', '--runtime', 'runc'];
  const limits = ['--ulimit', 'nofile=1024:1024', '--ulimit', 'nproc=1000:1000', '--pids-limit', '0', '--network', 'none'];
  const podman = engine('podman', [...where, 'run', '--rm', ...limits, '--passwd=false']);
  const show = ['--rootfs', at.join('rootfs'), 'sh', '-c', 'echo $(id -u) $(id -g) $(sed -n "s/^Groups:\\s*//p" /proc/self/status)'];
  if (podman('--user', '0', ...show).status !== 0) skip(context, 'podman cannot work here');
  const sorted = (ids: readonly number[]): number[] => [...new Set(ids)].sort((a, b) => a - b);
  const theirs = (asked: string): unknown => {
    const { status, stdout } = podman('--user', asked, ...show);
    const [uid, gid, ...groups] = stdout.trim().split(' ').map(Number);
    return status === 0 ? { uid, gid, groups: sorted(groups) } : 'refused';
  };
  const ours = (asked: string): unknown => {
    try {
      const { uid, gid, groups } = findUser(asked, [at.join('rootfs')]);
      // The process is in its primary group, too; podman leaves the others away where a colon says nothing.
      return { uid, gid, groups: sorted([gid, ...(/:$/.test(asked) ? [] : groups)]) };
    } catch (error) {
      expect(error).toMatchObject({ code: expect.stringMatching(/^(?:USER|GROUP)_/) });
      return 'refused';
    }
  };
  for (const asked of ASKED) expect([asked, ours(asked)]).toEqual([asked, theirs(asked)]);
  removeCgroups('libpod_parent');
});
