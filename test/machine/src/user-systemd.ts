/**
 * Runs on the second kernel, as root and from then on as an ordinary user with a user's systemd, as logind starts one:
 * `--systemd-cgroup` is to make scopes there. Prints lines of JSON, as suite.js does.
 */
import { spawn, spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findProgram, OCI_RUNTIME, ociBundle } from '@lamella-test/scratch';

const UID = 1000;
const SYSTEMD = '/lib/systemd/systemd';
const at = '/mnt/user-systemd';
const service = '/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service';
const runtime = '/run/user/1000';

/** What logind does: a cgroup of the user's, with controllers to divide, and a directory in /run. */
function logIn(): void {
  // Or systemd thinks that the machine has another init.
  for (const directory of ['/run/systemd/system', service, runtime, at]) mkdirSync(directory, { recursive: true });
  for (const above of ['', 'user.slice', 'user.slice/user-1000.slice'])
    writeFileSync(path.join('/sys/fs/cgroup', above, 'cgroup.subtree_control'), '+pids +memory +cpu');
  for (const each of [service, ...['cgroup.procs', 'cgroup.subtree_control', 'cgroup.threads'].map((name) => path.join(service, name)), runtime, at])
    chownSync(each, UID, UID);
  writeFileSync(path.join(service, 'cgroup.procs'), String(process.pid));
  process.setgid?.(UID);
  process.setgroups?.([]);
  process.setuid?.(UID);
  Object.assign(process.env, { XDG_RUNTIME_DIR: runtime, HOME: at });
}

/** Its bus, and itself. */
async function begin(): Promise<void> {
  spawnSync('dbus-daemon', ['--session', `--address=unix:path=${runtime}/bus`, '--fork', '--nopidfile'], { stdio: 'ignore' });
  spawn(SYSTEMD, ['--user', '--unit=basic.target', '--log-target=null'], { stdio: 'ignore', detached: true }).unref();
  const there = (): boolean => /systemd1 +\d/.test(spawnSync('busctl', ['--user', 'list', '--no-pager', '--no-legend'], { encoding: 'utf8' }).stdout);
  for (let tries = 0; !there(); tries++) {
    if (tries === 100) throw new Error("the user's systemd does not come up");
    await sleep(100);
  }
}

/** Values are compared as JSON. */
function equal(is: unknown, wanted: unknown): void {
  if (JSON.stringify(is) !== JSON.stringify(wanted)) throw new Error(`${JSON.stringify(is)} instead of ${JSON.stringify(wanted)}`);
}

function check(before: readonly string[], inNamespace: boolean): void {
  const place = { path: at, join: (...parts: string[]) => path.join(at, ...parts), [Symbol.asyncDispose]: async () => undefined };
  const bundle = ociBundle(place, [...before, OCI_RUNTIME, '--systemd-cgroup']);
  bundle.configure((config) => {
    config.process.args = ['sleep', '1000'];
    config.process.rlimits = [];
    config.linux.cgroupsPath = 'machine.slice:pre:own';
    config.linux.resources = { pids: { limit: 33 }, memory: { limit: 60_002_304 } };
    // A network namespace's sysfs is its owner's to mount: here there is none.
    config.mounts = config.mounts.filter(({ type }: { type: string }) => type !== 'sysfs' && type !== 'cgroup');
    config.linux.readonlyPaths = config.linux.maskedPaths = [];
    // Nor is there a group of terminals.
    for (const mount of config.mounts) mount.options = mount.options?.filter((option: string) => !option.startsWith('gid='));
    if (inNamespace) return;
    config.linux.namespaces.push({ type: 'user' });
    config.linux.uidMappings = config.linux.gidMappings = [{ containerID: 0, hostID: UID, size: 1 }];
  });
  const cgroup = path.join(service, 'machine.slice/pre-own.scope');
  const limits = (): string[] => ['pids.max', 'memory.max'].map((name) => readFileSync(path.join(cgroup, name), 'utf8').trim());
  equal(bundle.oci('run', '--detach', 'own'), { status: 0, stdout: '', stderr: '' });
  equal(limits(), ['33', '60002304']);
  equal(bundle.oci('update', '--pids-limit', '44', 'own'), { status: 0, stdout: '', stderr: '' });
  const { stdout } = spawnSync('systemctl', ['--user', 'show', '-p', 'TasksMax', 'pre-own.scope'], { encoding: 'utf8' });
  equal([limits()[0], stdout], ['44', 'TasksMax=44\n']);
  // Here each command has a new user namespace, and could not enter another one.
  if (!inNamespace) equal(bundle.oci('exec', 'own', 'cat', '/proc/self/cgroup').stdout, '0::/\n');
  equal(bundle.oci('pause', 'own').status, 0);
  equal(JSON.parse(bundle.oci('state', 'own').stdout).status, 'paused');
  equal(bundle.oci('delete', '--force', 'own'), { status: 0, stdout: '', stderr: '' });
  equal(existsSync(cgroup), false);
}

async function tell(name: string, work: () => void | Promise<void>): Promise<void> {
  const missing = [SYSTEMD, 'busctl', 'dbus-daemon', 'unshare'].find((program) => !(program.startsWith('/') ? existsSync(program) : findProgram(program)));
  const outcome = missing
    ? { skipped: `${missing} is not installed` }
    : await Promise.resolve()
        .then(work)
        .then(
          () => ({}),
          (error: Error) => ({ failure: error.message }),
        );
  process.stdout.write(`${JSON.stringify({ who: 'user systemd', name, ...outcome })}\n`);
}

logIn();
await tell("a user's own systemd comes up", begin);
await tell("a user's own systemd makes a bundle its cgroup", () => check([], false));
await tell('it does so for an engine in a user namespace, too', () => check(['unshare', '-rm'], true));
process.exit();
