/** Runs on the second kernel: limits for an ordinary user, in a cgroup that was delegated to it. */
import { writeFileSync } from 'node:fs';
import { run } from '@lamella/engine';

writeFileSync('/sys/fs/cgroup/scope/cgroup.procs', String(process.pid));
process.setgid?.(1000);
process.setuid?.(1000);
const name = 'limits are set where systemd delegated a cgroup';
const failure = await run({
  root: '/mnt/store-user',
  image: 'busybox',
  args: ['cat', '/sys/fs/cgroup/pids.max', '/sys/fs/cgroup/memory.max'],
  resources: { pidsLimit: 17, memory: 32 << 20 },
}).then(
  ({ stdout }) => (stdout === `17\n${32 << 20}` ? undefined : `it shows ${stdout}`),
  (error: Error & { hint?: string }) => `${error.message} (${error.hint})`,
);
process.stdout.write(`${JSON.stringify({ who: 'delegated', name, failure })}\n`);
