import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { busyboxArchive, requiresProgram, requiresRoot, scratch, skip, startSystemd, until } from '@lamella-test/scratch';
import { expect, type TestContext, test } from 'vitest';
import { brokenNodeFirst, engine, removeCgroups, runtime, type Said } from './engine.js';
import { startContainerd } from './start-containerd.js';

/** Engines that others wrote drive lamella-oci. What they say is for people, so only what it must hold is asked for. */

test('podman runs, enters, pauses, stops and builds with it', async (context: TestContext) => {
  requiresRoot(context);
  requiresProgram(context, 'podman');
  requiresProgram(context, 'conmon');
  await using at = scratch();
  const options = ['--root', at.join('root'), '--runroot', at.join('run'), '--cgroup-manager', 'cgroupfs', '--storage-driver', 'vfs', '--runtime', runtime()];
  const podman = engine('podman', options, brokenNodeFirst(at));
  const limits = ['--ulimit', 'nofile=1024:1024', '--ulimit', 'nproc=1000:1000', '--network', 'none'];
  const run = (...args: string[]): Said => podman('run', ...limits, ...args);
  const imported = podman('import', busyboxArchive(), 'busybox');
  if (imported.status !== 0) skip(context, `podman cannot work here: ${imported.stderr.trim().split('\n').at(-1)}`);
  expect(run('--rm', 'busybox', 'sh', '-c', 'id -u; exit 4')).toMatchObject({ status: 4, stdout: '0\n' });
  expect(run('--rm', 'busybox', 'no-such-command').status).toBe(127);
  expect(run('--rm', 'busybox', '/etc').status).toBe(126);
  expect(
    run('--rm', '--user', '1000:1000', '--read-only', '--tmpfs', '/data:size=1m', 'busybox', 'sh', '-c', 'id -u; touch /data/x && echo there; touch /x 2>&1')
      .stdout,
  ).toMatch(/^1000\nthere\n.*Read-only/);
  expect(run('--rm', '--uidmap', '0:100000:65536', '--gidmap', '0:100000:65536', 'busybox', 'cat', '/proc/self/uid_map').stdout).toMatch(/0 +100000 +65536/);
  expect(run('--detach', '--name', 'one', 'busybox', 'sh', '-c', 'echo out; exec sleep 1000').status).toBe(0);
  try {
    expect(podman('exec', 'one', 'sh', '-c', 'echo in; exit 6')).toMatchObject({ status: 6, stdout: 'in\n' });
    expect(podman('logs', 'one').stdout).toBe('out\n');
    expect(podman('pause', 'one').status).toBe(0);
    expect(podman('inspect', 'one', '--format', '{{.State.Status}}').stdout.trim()).toBe('paused');
    expect(podman('unpause', 'one').status).toBe(0);
    expect(podman('top', 'one').stdout).toContain('sleep 1000');
    expect(podman('stop', '--time', '0', 'one').status).toBe(0);
    expect(podman('start', 'one').status).toBe(0);
  } finally {
    podman('rm', '--force', '--time', '0', 'one');
  }
  mkdirSync(at.join('context'));
  writeFileSync(at.join('context/Containerfile'), 'FROM busybox\nRUN echo built >/built\nCMD cat /built\n');
  const built = podman('build', ...limits, '--tag', 'built', at.join('context'));
  expect([built.status, built.stderr.includes('rror')]).toEqual([0, false]);
  expect(run('--rm', 'built').stdout).toBe('built\n');
  removeCgroups('libpod_parent');
}, 180_000);

test('podman lets systemd make the cgroups', async (context: TestContext) => {
  requiresRoot(context);
  requiresProgram(context, 'podman');
  requiresProgram(context, 'conmon');
  await using at = scratch();
  const systemd = await startSystemd(at);
  if (typeof systemd === 'string') return skip(context, systemd);
  await using _ended = systemd;
  const options = ['--root', at.join('root'), '--runroot', '/run/podman', '--cgroup-manager', 'systemd', '--storage-driver', 'vfs', '--runtime', runtime()];
  const podman = (...args: string[]): Said => systemd.run('podman', ...options, ...args);
  // This machine's version 2 may give no controllers: podman must not set its default limits.
  const limits = ['--ulimit', 'nofile=1024:1024', '--ulimit', 'nproc=1000:1000', '--pids-limit', '0', '--network', 'none'];
  const imported = podman('import', busyboxArchive(), 'busybox');
  if (imported.status !== 0) skip(context, `podman cannot work here: ${imported.stderr.trim().split('\n').at(-1)}`);
  expect(podman('run', ...limits, '--rm', 'busybox', 'sh', '-c', 'id -u; exit 4')).toMatchObject({ status: 4, stdout: '0\n' });
  const one = podman('run', ...limits, '-d', '--name', 'one', 'busybox', 'sleep', '1000');
  expect(one.stderr).toBe('');
  const units = (): string => systemd.run('systemctl', 'list-units', '--type=scope', '--no-pager', '--no-legend', '--plain').stdout;
  expect(units()).toMatch(new RegExp(`^libpod-${one.stdout.trim()}\\.scope .*lamella-oci container ${one.stdout.trim()}$`, 'm'));
  expect(podman('exec', 'one', 'echo', 'in').stdout).toBe('in\n');
  expect(podman('rm', '-f', '-t', '0', 'one').status).toBe(0);
  // systemd takes a scope away when it hears that it is empty.
  await until(() => !units().includes('libpod-'));
});

test('containerd runs, enters, pauses and kills with it', async (context: TestContext) => {
  requiresRoot(context);
  for (const program of ['containerd', 'ctr', 'containerd-shim-runc-v2']) requiresProgram(context, program);
  await using at = scratch();
  // Its shims keep what they know of containers beside every containerd's.
  const three = `three-${process.pid}`;
  const containerd = await startContainerd(at);
  if (typeof containerd === 'string') return skip(context, containerd);
  await using _ended = containerd;
  const ctr = engine('ctr', ['--address', containerd.socket, '--namespace', 'lamella-test']);
  try {
    // It runs a root filesystem without an image. It can import images only from its own kind of archive.
    const rootfs = at.join('rootfs');
    mkdirSync(rootfs);
    spawnSync('tar', ['-xf', busyboxArchive(), '-C', rootfs]);
    const how = ['--runc-binary', runtime(), '--rootfs', rootfs];
    expect(ctr('run', '--rm', ...how, `one-${process.pid}`, 'sh', '-c', 'echo in; exit 3')).toMatchObject({ status: 3, stdout: 'in\n' });
    expect(ctr('run', '--rm', ...how, `two-${process.pid}`, 'no-such-command').stderr).toContain('executable file not found in $PATH');
    expect(ctr('run', '--detach', ...how, three, 'sleep', '1000').status).toBe(0);
    expect(ctr('task', 'exec', '--exec-id', 'e', three, 'sh', '-c', 'exit 5').status).toBe(5);
    expect(ctr('task', 'pause', three).status).toBe(0);
    expect(ctr('task', 'ls').stdout).toMatch(/PAUSED/);
    expect(ctr('task', 'resume', three).status).toBe(0);
    expect(ctr('task', 'kill', '--signal', 'KILL', three).status).toBe(0);
    for (let i = 0; i < 100 && !/STOPPED/.test(ctr('task', 'ls').stdout); i++) await sleep(50);
    ctr('task', 'rm', three);
    expect(ctr('task', 'ls').stdout).not.toContain(three);
    ctr('container', 'rm', three);
  } finally {
    ctr('task', 'kill', '--signal', 'KILL', three);
    ctr('task', 'rm', '--force', three);
    removeCgroups('lamella-test');
  }
}, 120_000);

test('dockerd runs, enters, limits and stops with it', async (context: TestContext) => {
  requiresRoot(context);
  for (const program of ['docker', 'dockerd']) requiresProgram(context, program);
  await using at = scratch();
  const socket = `unix://${at.join('docker.sock')}`;
  const daemon = spawn(
    'dockerd',
    [
      '--iptables=false',
      '--bridge=none',
      '--data-root',
      at.join('data'),
      '--exec-root',
      at.join('exec'),
      '-H',
      socket,
      '-p',
      at.join('pid'),
      '--add-runtime',
      `lamella=${runtime()}`,
      '--storage-driver',
      'vfs',
    ],
    { stdio: 'ignore' },
  );
  const ended = once(daemon, 'exit');
  const docker = engine('docker', ['-H', socket]);
  try {
    for (let i = 0; i < 150 && docker('version').status !== 0 && daemon.exitCode === null; i++) await sleep(100);
    if (docker('version').status !== 0) skip(context, 'dockerd does not come up here');
    expect(docker('import', busyboxArchive(), 'busybox').status).toBe(0);
    const run = (...args: string[]): Said => docker('run', '--runtime', 'lamella', '--network', 'none', ...args);
    expect(run('--rm', 'busybox', 'sh', '-c', 'id -u; exit 3')).toMatchObject({ status: 3, stdout: '0\n' });
    expect(run('--rm', 'busybox', 'no-such-command').status).toBe(127);
    expect(run('--rm', 'busybox', '/etc').status).toBe(126);
    expect(
      run(
        '--rm',
        '--memory',
        '32m',
        '--pids-limit',
        '20',
        '--user',
        '1000',
        '--cap-drop',
        'all',
        '--read-only',
        'busybox',
        'sh',
        '-c',
        'id -u; grep CapEff /proc/self/status; touch /x 2>&1',
      ).stdout,
    ).toMatch(/^1000\nCapEff:\t0+\n.*Read-only/);
    expect(run('--detach', '--name', 'one', 'busybox', 'sh', '-c', 'echo out; exec sleep 1000').status).toBe(0);
    expect(docker('exec', 'one', 'sh', '-c', 'echo in; exit 6')).toMatchObject({ status: 6, stdout: 'in\n' });
    expect(docker('logs', 'one').stdout).toBe('out\n');
    expect(docker('pause', 'one').status).toBe(0);
    expect(docker('unpause', 'one').status).toBe(0);
    expect(docker('update', '--pids-limit', '50', 'one').status).toBe(0);
    expect(docker('stop', '--time', '0', 'one').status).toBe(0);
    expect(docker('start', 'one').status).toBe(0);
    expect(docker('rm', '--force', 'one').status).toBe(0);
    expect(run('--name', 'oom', '--memory', '16m', 'busybox', 'sh', '-c', 'x=a; while true; do x=$x$x; done').status).toBe(137);
    docker('rm', 'oom');
  } finally {
    daemon.kill('SIGTERM');
    await ended;
    removeCgroups('docker');
  }
  expect(existsSync(at.join('exec/runtime-runc/moby/one'))).toBe(false);
}, 180_000);
