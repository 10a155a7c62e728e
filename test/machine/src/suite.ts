/**
 * Runs on the second kernel: as root, and then once more as an ordinary user. Prints a line of JSON
 * for each check; suite.test.ts makes tests of them.
 *
 *   node suite.js root|user
 */
import { execFileSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Containers, ImageStore, pool, type RunSpec, run } from '@lamella/engine';
import { busyboxArchive, findProgram, OCI_RUNTIME, ociBundle, startSystemd } from '@lamella-test/scratch';
import { ociLayout, tarArchive } from '@lamella-test/tree';

const [who = 'root'] = process.argv.slice(2);
const isRoot = who === 'root';
if (!isRoot) {
  process.setgid?.(1000);
  process.setuid?.(1000);
}
const root = `/mnt/store-${who}`;
const store = new ImageStore(root);
const sh = (script: string, more: Partial<RunSpec> = {}): ReturnType<typeof run> => run({ root, image: 'busybox', args: ['sh', '-c', script], ...more });
const groups = (): string[] => readdirSync('/sys/fs/cgroup').filter((name) => name.startsWith('lamella-'));

/** Why a check could not be made. */
class Skipped extends Error {}

/** Values are compared as JSON. */
function equal(is: unknown, wanted: unknown): void {
  if (JSON.stringify(is) !== JSON.stringify(wanted)) throw new Error(`${JSON.stringify(is)} instead of ${JSON.stringify(wanted)}`);
}

async function refused(work: Promise<unknown>, code: string): Promise<void> {
  const outcome = await work.then(
    () => 'it worked',
    (error: { code?: string }) => error.code,
  );
  equal(outcome, code);
}

const CHECKS: Record<string, () => Promise<void>> = {
  'the kernel is another one, with cgroups of version 2': async () => {
    equal(release().startsWith('6.1'), true);
    equal(existsSync('/sys/fs/cgroup/cgroup.controllers'), true);
  },
  'a container runs, and nothing of it is left': async () => {
    await store.import(busyboxArchive(), 'busybox');
    const { stdout, exitCode } = await sh('echo $$; id -u; grep -c . /proc/self/mounts >/dev/null; touch /x; ls /x; exit 3');
    // Its init is process 1.
    equal([stdout, exitCode], ['2\n0\n/x', 3]);
    equal(
      readdirSync(`${root}/containers`).filter((name) => !name.startsWith('.')),
      [],
    );
  },
  'one that runs is frozen, forked and taken back': async () => {
    const containers = new Containers(root);
    const { container } = await containers.run({ image: 'busybox', args: ['sh', '-c', 'echo one >/file; exec sleep 1000'] });
    const inside = async (script: string): Promise<string> => String((await (await container.exec({ args: ['sh', '-c', script] })).result).stdout);
    while ((await inside('cat /file')) !== 'one') await sleep(50);
    await container.checkpoint();
    equal(await inside('cat /file; echo two >/file; cat /file; grep -c localhost /etc/hosts'), 'one\ntwo\n2');
    const [fork] = await container.fork();
    equal(String((await (await fork?.run({ args: ['cat', '/file'] }))?.result)?.stdout), 'two');
    await container.rollback((await container.history()).checkpoints[0]?.id);
    equal(await inside('cat /file'), 'one');
    await fork?.remove();
    await container.remove({ force: true });
  },
  'it is confined: a filter, no new privileges, masked files': async () => {
    const { stdout } = await sh(
      'grep -E "^(Seccomp|NoNewPrivs):" /proc/self/status; wc -c </proc/kcore; mount -t tmpfs x /tmp 2>&1; unshare -r true 2>&1; echo 1 2>&1 >/proc/sys/kernel/sysrq',
    );
    const text = String(stdout);
    for (const wanted of [/NoNewPrivs:\t1/, /Seccomp:\t2/, /^0$/m, /mount: permission denied/, /unshare.*not permitted|EPERM/])
      if (!wanted.test(text)) throw new Error(`${wanted} is not in ${text}`);
  },
  'nothing of an image gets over what confines it': async () => {
    const layers = [readFileSync(busyboxArchive()), tarArchive([{ name: 'data', type: '2', linkname: '/proc' }])];
    ociLayout(`/run/volumes-${who}`, layers, { config: { Volumes: { '/proc': {}, '/sys': {}, '/dev': {} } } });
    await store.load(`/run/volumes-${who}`, { name: 'volumes' });
    const { stdout } = await sh('cut -d" " -f5 /proc/self/mountinfo | grep -cE "^/(proc|sys|dev)$"; : >>/proc/sys/kernel/core_pattern && echo open', {
      image: 'volumes',
    });
    equal(stdout, '3');
    const volumes = [{ source: '/run', destination: '/data/sys' }];
    await refused(sh('true', { image: 'volumes', volumes }), 'MOUNT_REFUSED');
    await refused(sh('true', { tmpfs: [{ destination: '/proc' }] }), 'MOUNT_REFUSED');
  },
  'forty layers are mounted without lowerdir+, which came with Linux 6.5': async () => {
    const layers = Array.from({ length: 40 }, (_, i) => tarArchive([{ name: `layer-${i}`, data: `${i}` }]));
    ociLayout(`/run/layout-${who}`, [readFileSync(busyboxArchive()), ...layers]);
    await store.load(`/run/layout-${who}`, { name: 'deep' });
    equal((await sh('ls -d /layer-* | wc -l; cat /layer-39', { image: 'deep' })).stdout, '40\n39');
  },
  'what was changed is told, applied, frozen, forked, and tried on the machine itself': async () => {
    const containers = new Containers(root);
    const project = `/mnt/project-${who}`;
    rmSync(project, { recursive: true, force: true });
    mkdirSync(`${project}/old`, { recursive: true });
    writeFileSync(`${project}/file`, 'first');
    const container = await containers.create({ image: 'busybox', volumes: [{ source: project, destination: '/p', overlay: true }] });
    const exec = async (script: string): Promise<unknown> => (await (await container.run({ args: ['sh', '-c', script] })).result).stdout;
    await exec('echo second > /p/file; rmdir /p/old; rm -r /home');
    await container.checkpoint();
    await exec('mkdir /p/new');
    const told = (await Array.fromAsync(container.changes())).map(({ kind, path }) => `${kind} ${path}`);
    equal(told, ['deleted /home', 'modified /p/file', 'added /p/new', 'deleted /p/old']);
    const [fork] = await container.fork();
    await container.rollback(null);
    await fork?.apply();
    equal([readFileSync(`${project}/file`, 'utf8'), readdirSync(project)], ['second\n', ['file', 'new']]);
    await containers.undoApply(fork?.id ?? '');
    equal([readFileSync(`${project}/file`, 'utf8'), readdirSync(project)], ['first', ['file', 'old']]);
    for (const each of [container, fork]) await each?.remove();
    process.chdir(project);
    const running = await containers.try({ args: ['/bin/sh', '-c', 'id -u; echo third > file; rmdir old'] });
    process.chdir('/');
    equal((await running.result).stdout, String(process.getuid?.()));
    const tried = await containers.get(running.id);
    equal(
      (await Array.fromAsync(tried.changes())).map(({ kind, path }) => `${kind} ${path}`),
      [`modified ${project}/file`, `deleted ${project}/old`],
    );
    equal(readFileSync(`${project}/file`, 'utf8'), 'first');
    await tried.remove();
  },
  'a container lives on: logs, exec, restarts, files, an end': async () => {
    const containers = new Containers(root);
    const { container } = await containers.run({
      image: 'busybox',
      name: 'life',
      args: ['sh', '-c', 'echo up; while [ ! -e /stop ]; do sleep 0.1; done; exit 5'],
    });
    equal((await container.state()).status, 'running');
    const { stdout } = await (await container.exec({ args: ['sh', '-c', 'cat /proc/1/comm; id -u'] })).result;
    equal(stdout, 'sh\n0');
    const parts: Buffer[] = [];
    for await (const chunk of await container.copyOut('/etc/passwd')) parts.push(chunk as Buffer);
    equal(Buffer.concat(parts).includes('root:'), true);
    await (await container.exec({ args: ['touch', '/stop'] })).result;
    equal((await container.wait())?.exitCode, 5);
    const lines: string[] = [];
    for await (const { content } of container.logs()) lines.push(content.toString());
    equal(lines, ['up\n']);
    await container.start();
    equal((await container.wait())?.exitCode, 5);
    await container.remove();
    equal(await containers.list(), []);
  },
  'a pool keeps containers warm': async () => {
    await using warm = await pool({ root, image: 'busybox', size: 2 });
    equal(
      (await Promise.all(['a', 'b', 'c'].map((word) => warm.run(['echo', word])))).map(({ stdout }) => stdout),
      ['a', 'b', 'c'],
    );
  },
  ...(isRoot
    ? {
        'a container is frozen by its cgroup, measured there, and shared by what is executed in it': async () => {
          const { container } = await new Containers(root).run({ image: 'busybox', args: ['sh', '-c', 'while :; do :; done'] });
          const [group = ''] = groups();
          const { stdout } = await (
            await container.exec({ args: ['sh', '-c', 'cat /proc/self/cgroup; readlink /proc/self/ns/cgroup; readlink /proc/1/ns/cgroup'] })
          ).result;
          const [own, mine, its] = String(stdout).split('\n');
          equal([own, mine === its], ['0::/', true]);
          await container.pause();
          equal([(await container.state()).status, readFileSync(`/sys/fs/cgroup/${group}/cgroup.freeze`, 'utf8').trim()], ['paused', '1']);
          const before = (await container.usage()).cpu;
          await new Promise((resolve) => setTimeout(resolve, 500));
          equal((await container.usage()).cpu - before, 0);
          await refused(container.exec({ args: ['true'] }), 'CONTAINER_PAUSED');
          await container.unpause();
          await new Promise((resolve) => setTimeout(resolve, 500));
          const { cpu, memory, processes } = await container.usage();
          equal([cpu > before, memory > 0, processes], [true, true, 1]);
          await container.pause();
          await container.remove({ force: true });
          equal(groups(), []);
        },
        'one whose monitor was killed is started again': async () => {
          const { container } = await new Containers(root).run({ image: 'busybox', args: ['sleep', '1000'] });
          const { monitor } = await container.state();
          process.kill(monitor ?? -1, 'SIGKILL');
          while ((await container.state()).status !== 'dead') await sleep(20);
          // Its cgroup went with nobody.
          equal(groups().length, 1);
          await container.start();
          equal([(await container.state()).status, groups().length], ['running', 1]);
          await container.remove({ force: true });
          equal(groups(), []);
        },
        'memory that ran out is remembered': async () => {
          const { container } = await new Containers(root).run({
            image: 'busybox',
            args: ['sh', '-c', 'exec tail /dev/zero'],
            resources: { memory: 16 << 20 },
          });
          equal((await container.wait())?.signal, 'SIGKILL');
          equal((await container.state()).oomKilled, true);
          await container.remove();
          equal(groups(), []);
        },
        'processes are limited to 2048 without being asked': async () => {
          equal(
            (await sh('cat /sys/fs/cgroup/pids.max; cat /proc/self/cgroup; touch /sys/fs/cgroup/x 2>/dev/null || echo read-only')).stdout,
            '2048\n0::/\nread-only',
          );
          equal(groups(), []);
        },
        'limits are where they were asked for': async () => {
          const resources = { memory: 64 << 20, memorySwap: 96 << 20, cpus: 0.5, cpuShares: 2, pidsLimit: 33 };
          const files = 'memory.max cpu.max cpu.weight pids.max';
          equal((await sh(`cd /sys/fs/cgroup; cat ${files}`, { resources })).stdout, `${64 << 20}\n50000 100000\n1\n33`);
          equal(groups(), []);
        },
        'a limit that cannot be set is an error, and leaves nothing': async () => {
          await refused(sh('true', { resources: { cpusetCpus: '99' } }), 'CONTROLLER_MISSING');
          await refused(sh('true', { resources: { memory: 1 } }), 'LIMIT_INVALID');
          equal(groups(), []);
        },
        'a process that memory runs out for is killed, and that is told': async () => {
          const { oomKilled, signal, failed } = await sh('exec tail /dev/zero', { resources: { memory: 16 << 20 } });
          equal([oomKilled, signal, failed], [true, 'SIGKILL', true]);
          equal((await sh('kill -9 $$', { resources: { memory: 16 << 20 } })).oomKilled, false);
          equal(groups(), []);
        },
        'a bundle of the OCI runtime has its limits, devices and namespaces': async () => {
          const at = '/run/oci';
          mkdirSync(at);
          const bundle = ociBundle({ path: at, join: (...parts) => path.join(at, ...parts), [Symbol.asyncDispose]: async () => undefined });
          bundle.configure((config) => {
            const script =
              'cat /proc/self/cgroup; mknod /m c 1 11; head -c 1 /m 2>&1; head -c 1 /dev/zero | wc -c; stat -c "%u %t %T" /dev/mine; cat /proc/self/uid_map; exec sleep 1000';
            config.process.args = ['sh', '-c', `(${script}) >/out 2>&1`];
            for (const set of ['bounding', 'permitted', 'effective']) config.process.capabilities[set].push('CAP_MKNOD');
            Object.assign(config.linux, {
              cgroupsPath: '/one/two',
              resources: {
                memory: { limit: 60_002_304, swap: 80_003_072 },
                cpu: { shares: 1024, quota: 50_000, period: 100_000 },
                unified: { 'pids.max': '33' },
              },
            });
          });
          equal(bundle.oci('run', '--detach', 'root'), { status: 0, stdout: '', stderr: '' });
          const files = ['memory.max', 'memory.swap.max', 'cpu.weight', 'cpu.max', 'pids.max'].map((name) =>
            readFileSync(`/sys/fs/cgroup/one/two/${name}`, 'utf8').trim(),
          );
          equal(files, ['60002304', '20000768', '100', '50000 100000', '33']);
          const out = (): string => readFileSync(`${at}/bundle/rootfs/out`, 'utf8');
          while (!existsSync(`${at}/bundle/rootfs/out`) || !/uid_map|4294967295/.test(out())) await sleep(20);
          const [group, denied, zero] = out().split('\n');
          equal([group, /not permitted/.test(denied ?? ''), zero], ['0::/', true, '1']);
          equal(bundle.oci('pause', 'root').status, 0);
          equal(JSON.parse(bundle.oci('state', 'root').stdout).status, 'paused');
          equal(bundle.oci('delete', '--force', 'root').status, 0);
          equal(existsSync('/sys/fs/cgroup/one/two'), false);
          bundle.configure((config) => {
            config.process.args = ['sh', '-c', 'stat -c "%u %t %T" /dev/mine; cat /proc/self/uid_map'];
            config.linux.namespaces.push({ type: 'user' });
            config.linux.uidMappings = config.linux.gidMappings = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
            config.linux.devices = [{ path: '/dev/mine', type: 'c', major: 1, minor: 5, uid: 3 }];
          });
          const { stdout, stderr } = bundle.oci('run', 'user');
          equal([stdout.trim().replace(/ +/g, ' '), stderr], ['3 1 5\n 0 100000 65536', '']);
          rmSync(at, { recursive: true });
        },
        'AppArmor confines a bundle, and what enters it': async () => {
          if (!findProgram('apparmor_parser')) throw new Skipped('apparmor_parser is not installed');
          const at = '/run/oci';
          mkdirSync(at);
          const profile = 'profile lamella-test flags=(attach_disconnected) { file, signal, deny /secret w, }\n';
          execFileSync('apparmor_parser', ['--skip-cache', '--replace'], { input: `${profile}${profile.replace('-test', '-other')}` });
          const bundle = ociBundle({ path: at, join: (...parts) => path.join(at, ...parts), [Symbol.asyncDispose]: async () => undefined });
          const script = 'cat /proc/self/attr/apparmor/current; (echo x >/secret) 2>&1; echo x >/file && echo written';
          bundle.configure((config) => {
            config.process.args = ['sh', '-c', script];
            config.process.apparmorProfile = 'lamella-test';
          });
          const denied = "\nsh: can't create /secret: Permission denied\nwritten\n";
          equal(bundle.oci('run', 'armoured'), { status: 0, stdout: `lamella-test (enforce)${denied}`, stderr: '' });
          bundle.configure((config) => {
            config.process.args = ['sleep', '1000'];
            config.process.apparmorProfile = 'lamella-test';
          });
          equal(bundle.oci('run', '--detach', 'lasting').stderr, '');
          equal(bundle.oci('exec', 'lasting', 'sh', '-c', script).stdout, `lamella-test (enforce)${denied}`);
          equal(bundle.oci('exec', '--apparmor', 'lamella-other', 'lasting', 'sh', '-c', script).stdout, `lamella-other (enforce)${denied}`);
          equal(bundle.oci('delete', '--force', 'lasting').stderr, '');
          bundle.configure((config) => {
            config.process.apparmorProfile = 'no-such-profile';
          });
          const { status, stderr } = bundle.oci('run', 'unknown');
          equal(status, 1);
          if (!/process\.apparmorProfile no-such-profile .*: no such file or directory/.test(stderr)) throw new Error(stderr);
          equal(
            readdirSync(at).filter((name) => name === 'unknown'),
            [],
          );
          rmSync(at, { recursive: true });
        },
        'systemd makes a bundle its cgroup, and knows of its limits': async () => {
          // Its /run is another.
          const at = '/mnt/oci';
          mkdirSync(at);
          const place = { path: at, join: (...parts: string[]) => path.join(at, ...parts), [Symbol.asyncDispose]: async () => undefined };
          const systemd = await startSystemd(place);
          if (typeof systemd === 'string') throw new Skipped(systemd);
          await using _ended = systemd;
          const bundle = ociBundle(place, [...systemd.beside(`${at}/bundle`), OCI_RUNTIME, '--systemd-cgroup']);
          bundle.configure((config) => {
            config.process.args = ['sleep', '1000'];
            config.linux.cgroupsPath = 'machine.slice:pre:limits';
            config.linux.resources.memory = { limit: 60_002_304 };
            config.linux.resources.pids = { limit: 33 };
            config.linux.resources.cpu = { shares: 1024, quota: 50_000, period: 100_000 };
          });
          equal(bundle.oci('run', '--detach', 'limits'), { status: 0, stdout: '', stderr: '' });
          const cgroup = '/sys/fs/cgroup/oci/machine.slice/pre-limits.scope';
          const limits = (): string[] => ['memory.max', 'pids.max', 'cpu.max'].map((name) => readFileSync(`${cgroup}/${name}`, 'utf8').trim());
          equal(limits(), ['60002304', '33', '50000 100000']);
          // What systemd sets again are these.
          equal(systemd.run('systemctl', 'daemon-reload').status, 0);
          equal(limits(), ['60002304', '33', '50000 100000']);
          equal(bundle.oci('update', '--memory', '70000640', '--pids-limit', '44', 'limits').stderr, '');
          equal(systemd.run('systemctl', 'daemon-reload').status, 0);
          equal(limits(), ['70000640', '44', '50000 100000']);
          equal(systemd.run('systemctl', 'show', '-p', 'MemoryMax,TasksMax', 'pre-limits.scope').stdout, 'MemoryMax=70000640\nTasksMax=44\n');
          equal(bundle.oci('delete', '--force', 'limits').status, 0);
          equal(existsSync(cgroup), false);
          rmSync(at, { recursive: true });
        },
        'containers have ids of their own, on layers that they share': async () => {
          const { stdout } = await sh('id -u; stat -c %u / /etc /bin/busybox; touch /x; stat -c %u /x; cut -c1-30 /proc/self/uid_map', {
            userns: { mode: 'auto' },
          });
          const [lines, map] = [String(stdout).split('\n').slice(0, 5), String(stdout).split('\n')[5]];
          equal([lines, /^ +0 +\d{6}/.test(map ?? '')], [['0', '0', '0', '0', '0'], true]);
        },
        'a fork bomb ends at its limit': async () => {
          const { stderr } = await sh('for i in 1 2 3 4 5 6 7 8; do sleep 5 & done; wait', { resources: { pidsLimit: 4 } });
          equal(/can't fork/.test(String(stderr)), true);
          equal(groups(), []);
        },
      }
    : {
        'no limit can be set where nothing is delegated': async () => {
          await refused(sh('true', { resources: { pidsLimit: 10 } }), 'CGROUP_NOT_DELEGATED');
        },
      }),
};

if (isRoot) mkdirSync('/mnt/store-user', { recursive: true });
if (isRoot) chownSync('/mnt/store-user', 1000, 1000);
for (const [name, check] of Object.entries(CHECKS)) {
  const outcome = await check().then(
    () => ({}),
    (error: Error & { hint?: string; op?: unknown }) =>
      error instanceof Skipped
        ? { skipped: error.message }
        : { failure: `${error.message}${error.hint ? ` (${error.hint})` : ''}${error.op ? ` ${JSON.stringify(error.op)}` : ''}` },
  );
  process.stdout.write(`${JSON.stringify({ who, name, ...outcome })}\n`);
}
if (isRoot) {
  // What systemd does for a user's scope: a cgroup that belongs to the user, with controllers to divide.
  const scope = '/sys/fs/cgroup/scope';
  mkdirSync(scope);
  writeFileSync('/sys/fs/cgroup/cgroup.subtree_control', '+pids +memory +cpu');
  for (const file of ['', 'cgroup.procs', 'cgroup.subtree_control', 'cgroup.threads']) chownSync(`${scope}/${file}`, 1000, 1000);
  // And for a user's session: a slice that gives them to its services.
  mkdirSync('/sys/fs/cgroup/slice/service', { recursive: true });
  writeFileSync('/sys/fs/cgroup/slice/cgroup.subtree_control', '+pids +memory +cpu');
  for (const directory of ['slice', 'slice/service'])
    for (const file of ['', 'cgroup.procs', 'cgroup.subtree_control', 'cgroup.threads']) chownSync(`/sys/fs/cgroup/${directory}/${file}`, 1000, 1000);
  rmSync(`/run/layout-${who}`, { recursive: true });
}
