import { spawnSync } from 'node:child_process';
import { readReport, requiresProgram, scratchOnOverlay, vitestArgs } from '@lamella-test/scratch';
import { expect, test } from 'vitest';

/** Tests of what a container is and leaves; root and ordinary users are in each. The long suite asks for `lifecycle`, `attacks` and `user-namespaces`, too. */
const FILES = (process.env.LAMELLA_ON_OVERLAY ?? 'killed,transactions').split(',').map((name) => `test/e2e/src/${name}.test.ts`);

/** All users may use /dev/fuse, as udev sets it up on most machines. */
const OPEN_FUSE = 'mount -t tmpfs tmpfs "$0" && mknod -m 666 "$0/fuse" c 10 229 && mount --bind "$0/fuse" /dev/fuse && exec "$@"';

test('the same tests hold on an overlay, as in another container, where fuse-overlayfs joins the layers', { timeout: 600_000 }, async (context) => {
  requiresProgram(context, 'unshare');
  await using at = await scratchOnOverlay(context);
  const report = at.join('report.json');
  const { stderr } = spawnSync('unshare', ['-m', 'sh', '-c', OPEN_FUSE, '/mnt', process.execPath, ...vitestArgs(FILES, report)], {
    env: { ...process.env, TMPDIR: at.path, TERM: 'xterm' },
    encoding: 'utf8',
  });
  for (const line of new Set(stderr.split('\n').filter((each) => each.startsWith('skipped: ')))) process.stderr.write(`on an overlay: ${line}\n`);
  const { passed, skipped, failed } = readReport(report);
  process.stderr.write(`on an overlay: ${passed} passed, ${skipped} skipped\n`);
  expect(failed).toEqual([]);
  expect(skipped).toBeLessThan(15);
  expect(passed).toBeGreaterThan(process.env.LAMELLA_ON_OVERLAY ? 0 : 20);
});
