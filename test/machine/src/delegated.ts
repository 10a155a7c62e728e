/** Runs on the second kernel: limits for an ordinary user, in a cgroup that was delegated to it. `node delegated.js scope|slice/service` */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { explainRun, run } from '@lamella/engine';

const [where = 'scope'] = process.argv.slice(2);
writeFileSync(`/sys/fs/cgroup/${where}/cgroup.procs`, String(process.pid));
process.setgid?.(1000);
process.setuid?.(1000);
const name = `limits are set where systemd delegated a cgroup: ${where}`;
const args = ['cat', '/sys/fs/cgroup/pids.max', '/sys/fs/cgroup/memory.max'];
const resources = { pidsLimit: 17, memory: 32 << 20 };
const before = readdirSync(`/sys/fs/cgroup/${where}`).join();
await explainRun({ root: '/mnt/store-user', image: 'busybox', args, resources });
const explained = readdirSync(`/sys/fs/cgroup/${where}`).join() === before ? undefined : 'explaining it made something';
const failure = await run({ root: '/mnt/store-user', image: 'busybox', args, resources }).then(
  ({ stdout }) => (stdout === `17\n${32 << 20}` ? undefined : `it shows ${stdout}`),
  (error: Error & { hint?: string }) => `${error.message} (${error.hint})`,
);
const left = readdirSync(`/sys/fs/cgroup/${where.split('/')[0]}`).filter((each) => /^lamella-(?!outside)/.test(each));
const own = readFileSync('/proc/self/cgroup', 'utf8');
const moved = where !== 'scope' && !own.includes(where) ? `this process was moved to ${own}` : undefined;
process.stdout.write(
  `${JSON.stringify({ who: 'delegated', name, failure: failure ?? explained ?? moved ?? (left.length ? `${left.join()} is left` : undefined) })}\n`,
);
