import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { findProgram, type ScratchDirectory } from '@lamella-test/scratch';

/** What ran on the machine, to its end. */
export interface MachineRun {
  /** What the script wrote, stdout and stderr together. */
  readonly output: string;
  /** Its exit status; undefined when the machine went down before it ended. */
  readonly status: number | undefined;
  /** The kernel's messages. */
  readonly console: string;
}

const UML = 'linux.uml';
const OVERLAY = '/usr/lib/uml/modules/*/kernel/fs/overlayfs/overlay.ko';

/** The power goes so many milliseconds after the console showed something. */
interface PowerCut {
  readonly after: string;
  readonly milliseconds: number;
}

export interface MachineOptions {
  /** Milliseconds until the power goes in any case. */
  readonly timeout: number;
  readonly cutPower?: PowerCut;
  /** The kernel's security module; by default AppArmor. */
  readonly module?: 'apparmor' | 'selinux';
  /** What it has of memory, and the size of its disk. */
  readonly memory?: string;
  readonly disk?: string;
}

/** Why this machine lacks a second kernel, if so. */
export function whyNoMachine(): string | undefined {
  if (process.arch !== 'x64') return 'user-mode-linux exists for x86_64 only';
  if (process.geteuid?.() !== 0) return 'it needs root';
  if (!findProgram(UML) || !globSync(OVERLAY).length) return 'user-mode-linux is not installed';
  if (!findProgram('busybox')) return 'busybox is not installed';
  if (!findProgram('mkfs.ext4')) return 'mkfs.ext4 is not installed';
  return undefined;
}

/**
 * Boot Linux 6.1 as a process (user-mode-linux), run a shell script as root in it, and power off. The
 * host's files are its root; at `/mnt` it has a separate ext4, whose file lies in the scratch
 * directory. `/proc`, `/sys`, cgroup2, securityfs and a tmpfs on `/run` are mounted.
 */
export async function onMachine(
  at: ScratchDirectory,
  script: string,
  { timeout, cutPower, module = 'apparmor', memory = '1G', disk: size = '256M' }: MachineOptions,
): Promise<MachineRun> {
  const disk = at.join('disk');
  if (!existsSync(disk)) {
    execFileSync('truncate', ['-s', size, disk]);
    execFileSync('mkfs.ext4', ['-q', '-E', 'lazy_itable_init=0', disk]);
  }
  const [init, output, status] = ['init', 'output', 'status'].map((name) => at.join(name)) as [string, string, string];
  writeFileSync(
    init,
    `#!/bin/sh
export PATH=${path.dirname(process.execPath)}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TMPDIR=/run
mount -t proc proc /proc && mount -t sysfs sysfs /sys && mount -t cgroup2 cgroup2 /sys/fs/cgroup && mount -t securityfs securityfs /sys/kernel/security && mount -t tmpfs -o mode=1777 tmpfs /run
busybox insmod ${globSync(OVERLAY)[0]} && mount -t ext4 /dev/ubda /mnt && chmod 1777 /mnt
(
${script}
) >${output} 2>&1
echo $? >${status}
sync
echo o >/proc/sysrq-trigger
sleep 60
`,
  );
  chmodSync(init, 0o755);
  for (const file of [output, status]) writeFileSync(file, '');
  const child = spawn(
    UML,
    [
      ...['rootfstype=hostfs', 'rootflags=/', 'rw', `ubd0=${disk}`, `init=${init}`],
      ...[`mem=${memory}`, `${module}=1`, `security=${module}`, 'con=null', 'con0=null,fd:1', 'quiet', `uml_dir=${at.join('uml')}`],
    ],
    { stdio: ['ignore', 'pipe', 'pipe'], detached: true },
  );
  const said: Buffer[] = [];
  // All of its processes are threads of the kernel's, and go with its group.
  const cut = (): void => {
    try {
      process.kill(-(child.pid as number), 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  };
  let due: NodeJS.Timeout | undefined;
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      said.push(chunk);
      if (cutPower && !due && Buffer.concat(said).includes(cutPower.after)) due = setTimeout(cut, cutPower.milliseconds);
    });
  const timer = setTimeout(cut, timeout);
  await once(child, 'close');
  clearTimeout(timer);
  clearTimeout(due);
  const text = readFileSync(status, 'utf8').trim();
  return { output: readFileSync(output, 'utf8'), status: text === '' ? undefined : Number(text), console: Buffer.concat(said).toString() };
}
