import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { ScratchDirectory } from './directory.js';
import { findProgram } from './requires.js';
import { becomes } from './until.js';

/** A systemd of a test's own, with a bus: in namespaces, with a cgroup of version 2 and a /run to itself, on this machine's files. */
export interface Systemd extends AsyncDisposable {
  /** What runs a program beside it: put it before the program. @param cwd absolute path */
  beside(cwd: string): readonly string[];
  /** Run a program beside it, to its end. */
  run(command: string, ...args: readonly string[]): SpawnSyncReturns<string>;
}

const SYSTEMD = '/lib/systemd/systemd';

/** Units without what a machine needs at its start: nothing of this one is touched. */
const SETUP = `
mount --make-rprivate / && mount -t proc proc /proc && umount -R /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup && mount -t tmpfs tmpfs /run || exit 99
mkdir -p /run/systemd/system /run/dbus
printf '[Unit]\\nDefaultDependencies=no\\nRequires=dbus.socket dbus.service\\nAfter=dbus.service\\n' >/run/systemd/system/lamella.target
printf '[Unit]\\nDefaultDependencies=no\\n[Socket]\\nListenStream=/run/dbus/system_bus_socket\\n' >/run/systemd/system/dbus.socket
printf '[Unit]\\nDefaultDependencies=no\\n[Service]\\nType=notify\\nSockets=dbus.socket\\nExecStart=/usr/bin/dbus-daemon --system --address=systemd: --nofork --nopidfile --systemd-activation\\n' >/run/systemd/system/dbus.service
container=lamella-test exec ${SYSTEMD} --system --unit=lamella.target --log-target=null --show-status=no`;

/** Start one, as root; or say why there is none. */
export async function startSystemd(at: ScratchDirectory): Promise<Systemd | string> {
  for (const program of ['busctl', 'dbus-daemon', 'nsenter', 'unshare']) if (!findProgram(program)) return `${program} is not installed`;
  if (!existsSync(SYSTEMD)) return 'systemd is not installed';
  const top = ['/sys/fs/cgroup', '/sys/fs/cgroup/unified'].find((each) => existsSync(path.join(each, 'cgroup.controllers')));
  if (!top) return 'no cgroups of version 2 are mounted';
  const cgroup = path.join(top, path.basename(at.path));
  mkdirSync(cgroup);
  giveControllers(top);
  // Its first process alone is in that cgroup: with another one there it could give no controllers to what is below.
  const first = `echo 0 >${cgroup}/cgroup.procs && exec unshare -C sh -c "$0"`;
  const unshare = spawn('unshare', ['-pf', '--kill-child', '-m', '-i', '-u', '-n', 'sh', '-c', first, SETUP], { stdio: 'ignore' });
  const init = (): number => Number(readFileSync(`/proc/${unshare.pid}/task/${unshare.pid}/children`, 'utf8').trim().split(' ')[0]);
  const beside: Systemd['beside'] = (cwd) => ['nsenter', '-t', String(init()), '-a', 'sh', '-c', 'cd "$0" && exec "$@"', cwd];
  const run: Systemd['run'] = (...command) => {
    const [file = '', ...args] = [...beside('/'), ...command];
    return spawnSync(file, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 30_000 });
  };
  const close = async (): Promise<void> => {
    if (unshare.exitCode === null) {
      unshare.kill('SIGKILL');
      await once(unshare, 'exit');
    }
    await becomes(() => removed(cgroup), 20);
  };
  const isUp = (): boolean => /systemd1 +\d/.test(run('busctl', 'list', '--no-pager', '--no-legend').stdout);
  if ((await becomes(() => unshare.exitCode !== null || isUp(), 40)) && unshare.exitCode === null) return { beside, run, [Symbol.asyncDispose]: close };
  await close();
  return 'systemd does not come up here';
}

/** What this machine's root may give; the rest is missing in there as it is here. */
function giveControllers(top: string): void {
  for (const name of readFileSync(path.join(top, 'cgroup.controllers'), 'utf8').split(/\s+/).filter(Boolean))
    try {
      writeFileSync(path.join(top, 'cgroup.subtree_control'), `+${name}`);
    } catch (error) {
      if (!(error as NodeJS.ErrnoException).code?.startsWith('E')) throw error;
    }
}

/** Remove a cgroup with all below it. @returns whether nothing of it is left */
function removed(directory: string): boolean {
  if (!existsSync(directory)) return true;
  for (const entry of readdirSync(directory, { withFileTypes: true })) if (entry.isDirectory()) removed(path.join(directory, entry.name));
  try {
    rmdirSync(directory);
    return true;
  } catch (error) {
    if (['EBUSY', 'ENOTEMPTY'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
}
