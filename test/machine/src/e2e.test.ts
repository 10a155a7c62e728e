import { readdirSync } from 'node:fs';
import path from 'node:path';
import { readReport, scratch, skip, vitestArgs } from '@lamella-test/scratch';
import { expect, test } from 'vitest';
import { onMachine, whyNoMachine } from './machine.js';

const E2E = path.join(import.meta.dirname, '../../e2e/src');
/** What needs programs or a network that a machine of one process has not, or hours. */
const NOT_HERE = ['as-others', 'endurance', 'explain-is-strace', 'plugins', 'readme-examples', 'web-review', 'oci-systemd'];
/** `all`, or names of files. All of them take most of an hour there; the long suite asks for them. */
const ASKED = process.env.LAMELLA_SECOND_KERNEL ?? 'confinement';
const WANTED = ASKED === 'all' ? undefined : ASKED.split(',');

test('tests of the CLI that hold here hold on Linux 6.1 with cgroups of version 2', { timeout: 7_200_000 }, async (context) => {
  const reason = whyNoMachine();
  if (reason) skip(context, reason);
  await using at = scratch();
  const names = readdirSync(E2E).flatMap((name) => /^(.*)\.test\.ts$/.exec(name)?.[1] ?? []);
  const files = names.filter((name) => (WANTED ? WANTED.includes(name) : !NOT_HERE.includes(name))).map((name) => `test/e2e/src/${name}.test.ts`);
  const report = at.join('report.json');
  const script = `
    busybox ip link set lo up
    for module in drivers/net/veth drivers/net/tun fs/fuse/fuse; do busybox insmod /usr/lib/uml/modules/*/kernel/$module.ko; done
    mkdir -p /dev/net && mknod -m 666 /dev/net/tun c 10 200; [ -e /dev/fuse ] || mknod -m 666 /dev/fuse c 10 229
    mkdir -p /dev/shm /dev/pts && mount -t tmpfs tmpfs /dev/shm && mount -t devpts devpts /dev/pts
    mkdir -m 1777 /mnt/tmp && export TMPDIR=/mnt/tmp TERM=xterm
    node ${vitestArgs([...files, '--testTimeout=300000'], report).join(' ')} </dev/null`;
  const { output, console } = await onMachine(at, script, { timeout: 7_000_000, memory: '4G', disk: '3G' });
  for (const line of new Set(output.split('\n').filter((each) => each.startsWith('skipped: ')))) process.stderr.write(`second kernel: ${line}\n`);
  expect(console).toContain('Power Off');
  const { passed, skipped, failed } = readReport(report);
  process.stderr.write(`second kernel: of ${files.length} files ${passed} tests passed, ${skipped} were skipped\n`);
  expect(failed).toEqual([]);
  expect(passed).toBeGreaterThan(process.env.LAMELLA_SECOND_KERNEL ? 0 : 25);
});
