import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import {
  OCI_RUNTIME,
  type OciBundle,
  ociBundle,
  requiresRoot,
  type ScratchDirectory,
  type Systemd,
  scratch,
  skip,
  startSystemd,
  until,
} from '@lamella-test/scratch';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

let at: ScratchDirectory;
let systemd: Systemd | string;
let bundle: OciBundle;

beforeAll(async () => {
  at = scratch();
  systemd = process.geteuid?.() === 0 ? await startSystemd(at) : 'it needs root';
  if (typeof systemd === 'string') return;
  bundle = ociBundle(at, [...systemd.beside(at.join('bundle')), OCI_RUNTIME, '--systemd-cgroup']);
}, 30_000);
afterAll(async () => {
  if (typeof systemd === 'object') await systemd[Symbol.asyncDispose]();
  await at[Symbol.asyncDispose]();
});
beforeEach((context) => {
  requiresRoot(context);
  if (typeof systemd === 'string') skip(context, systemd);
});

const beside = (): Systemd => systemd as Systemd;
const show = (unit: string): Record<string, string> =>
  Object.fromEntries(
    beside()
      .run('systemctl', 'show', unit)
      .stdout.split('\n')
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
const scopes = (): string[] =>
  beside()
    .run('systemctl', 'list-units', '--type=scope', '--all', '--no-pager', '--no-legend', '--plain')
    .stdout.split('\n')
    .map((line) => line.split(' ')[0] ?? '')
    .filter((unit) => unit && unit !== 'init.scope');
/** The rest of what a bundle asks for needs controllers that this machine may not give. */
const configure = (cgroupsPath: string | undefined, script: string, annotations: Record<string, string> = {}): void =>
  bundle.configure((config) => {
    config.process.args = ['sh', '-c', script];
    config.annotations = annotations;
    config.linux.resources = { devices: config.linux.resources?.devices };
    if (cgroupsPath === undefined) delete config.linux.cgroupsPath;
    else config.linux.cgroupsPath = cgroupsPath;
  });
const cgroupOf = (id: string): string => {
  const { pid } = JSON.parse(bundle.oci('state', id).stdout);
  return beside().run('tail', '-n', '1', `/proc/${pid}/cgroup`).stdout.trim();
};

test('a scope is made around a container, below its slice, and goes with it', () => {
  configure('lam-test.slice:pre:one', 'exec sleep 1000', {
    'org.systemd.property.TimeoutStopSec': 'uint64 7',
    'org.systemd.property.CollectMode': "'inactive-or-failed'",
    'org.systemd.property.Documentation': 'ignored by its type',
  });
  // An unknown value is refused: guessing could set a wrong limit.
  expect(bundle.oci('create', 'one')).toMatchObject({ status: 1, stderr: expect.stringContaining('org.systemd.property.Documentation') });
  expect([scopes(), existsSync(bundle.root) ? readdirSync(bundle.root) : []]).toEqual([[], []]);
  configure('lam-test.slice:pre:one', 'exec sleep 1000', {
    'org.systemd.property.TimeoutStopSec': 'uint64 7',
    'org.systemd.property.CollectMode': "'inactive-or-failed'",
  });
  expect(bundle.oci('create', 'one')).toMatchObject({ status: 0, stderr: '' });
  expect(show('pre-one.scope')).toMatchObject({
    ActiveState: 'active',
    Slice: 'lam-test.slice',
    ControlGroup: '/lam.slice/lam-test.slice/pre-one.scope',
    Delegate: 'yes',
    Description: 'lamella-oci container one',
    TimeoutStopUSec: '7s',
    CollectMode: 'inactive-or-failed',
  });
  expect(bundle.oci('start', 'one').status).toBe(0);
  expect(cgroupOf('one')).toBe('0::/lam.slice/lam-test.slice/pre-one.scope');
  expect(bundle.oci('exec', 'one', 'tail', '-n', '1', '/proc/self/cgroup').stdout).toMatch(/^0::\//);
  expect(bundle.oci('ps', '--format', 'json', 'one').status).toBe(0);
  expect(bundle.oci('pause', 'one').status).toBe(0);
  expect(JSON.parse(bundle.oci('state', 'one').stdout).status).toBe('paused');
  expect(bundle.oci('resume', 'one').status).toBe(0);
  expect(bundle.oci('delete', '--force', 'one')).toMatchObject({ status: 0, stderr: '' });
  expect([scopes(), readdirSync(bundle.root)]).toEqual([[], []]);
});

test('one whose process has ended is deleted, and its name serves again', async () => {
  configure(undefined, 'exit 3');
  for (let i = 0; i < 2; i++) {
    expect(bundle.oci('create', 'ends')).toMatchObject({ status: 0, stderr: '' });
    expect(cgroupOf('ends')).toBe('0::/system.slice/lamella-ends.scope');
    bundle.oci('start', 'ends');
    await until(() => JSON.parse(bundle.oci('state', 'ends').stdout).status === 'stopped');
    expect(bundle.oci('delete', 'ends')).toMatchObject({ status: 0, stderr: '' });
  }
  expect(scopes()).toEqual([]);
});

test('what fails leaves no scope behind', () => {
  configure('machine.slice:pre:fails', 'true');
  bundle.configure((config) => {
    config.process.args = ['/no/such/program'];
    config.linux.cgroupsPath = 'machine.slice:pre:fails';
    config.linux.resources = {};
  });
  expect(bundle.oci('create', 'fails').stderr).toContain('/no/such/program');
  expect([scopes(), readdirSync(bundle.root)]).toEqual([[], []]);
});

test('a path that is none of systemd’s is refused, and so is a slice', () => {
  for (const wrong of ['/a/path', 'machine.slice:pre', 'machine.slice:pre:', 'a:b:c:d', 'machine.slice:pre:own.slice']) {
    configure(wrong, 'true');
    expect(bundle.oci('create', 'wrong')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining(`"slice:prefix:name" for systemd cgroups, got "${wrong}"`),
    });
  }
  configure('no-slice:pre:x', 'true');
  expect(bundle.oci('create', 'wrong').stderr).toContain('invalid slice name: no-slice');
  expect(readdirSync(bundle.root)).toEqual([]);
});

test('without systemd it is told', (context) => {
  if (existsSync('/run/systemd/private')) skip(context, 'this machine runs systemd itself');
  const alone = ociBundle(scratchIn('alone'), [OCI_RUNTIME, '--systemd-cgroup']);
  alone.configure((config) => {
    config.linux.cgroupsPath = 'machine.slice:pre:x';
  });
  expect(alone.oci('create', 'x')).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/systemd failed to run ControlGroup: .*|busctl is not installed/),
  });
});

function scratchIn(name: string): ScratchDirectory {
  return { path: at.join(name), join: (...parts) => path.join(at.path, name, ...parts), [Symbol.asyncDispose]: async () => undefined };
}

test('features says so', () => {
  expect(JSON.parse(bundle.oci('features').stdout).linux.cgroup).toMatchObject({ systemd: true, systemdUser: true });
});
