import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { busyboxArchive, requiresProgram, requiresRoot, scratch } from '@lamella-test/scratch';
import { expect, test } from 'vitest';

const checkout = path.join(import.meta.dirname, '../../..');
const NEEDED = ['syscall', 'seccomp', 'cgroup', 'namespace', 'oci-runtime', `init-linux-${process.arch}`];

test('plugins are installed from their tarballs: one adds commands, the other is told what happens', { timeout: 300_000 }, async (context) => {
  requiresRoot(context);
  requiresProgram(context, 'pnpm');
  await using at = scratch();
  const pack = (directory: string): string =>
    (
      JSON.parse(execFileSync('pnpm', ['pack', '--json', '--pack-destination', at.path], { cwd: path.join(checkout, directory), encoding: 'utf8' })) as {
        filename: string;
      }
    ).filename;
  // What they need is not to be had from npm before it is published.
  const overrides = Object.fromEntries(NEEDED.map((name) => [`@lamella/${name}`, `file:${pack(`packages/${name}`)}`]));
  for (const arch of ['x64', 'arm64']) overrides[`@lamella/init-linux-${arch}`] ??= overrides[`@lamella/init-linux-${process.arch}`] ?? '';
  const data = at.join('data/lamella-cli');
  mkdirSync(data, { recursive: true });
  writeFileSync(path.join(data, 'package.json'), JSON.stringify({ private: true, overrides, dependencies: {}, oclif: { schema: 1, plugins: [] } }));
  const log = at.join('log');
  const env = {
    ...process.env,
    XDG_DATA_HOME: at.join('data'),
    XDG_CACHE_HOME: at.join('cache'),
    XDG_CONFIG_HOME: at.join('config'),
    LAMELLA_ROOT: at.join('store'),
    EXAMPLE_LOG: log,
  };
  const lamella = (...args: string[]): { status: number | null; stdout: string; stderr: string } =>
    spawnSync(process.execPath, [path.join(checkout, 'apps/cli/bin/lamella'), ...args], { env, encoding: 'utf8' });
  expect(lamella('oci').stderr).toContain('unknown command: oci');

  expect(lamella('plugins', 'install', `file:${pack('packages/plugin-oci')}`)).toMatchObject({ status: 0 });
  expect(lamella('plugins').stdout).toMatch(/^NAME +VERSION +FROM\n@lamella\/plugin-oci +0\.\d+\.\d+ +file:/);
  expect(JSON.parse(lamella('oci', 'features').stdout)).toHaveProperty('ociVersionMax');
  const bundle = at.join('bundle');
  mkdirSync(path.join(bundle, 'rootfs'), { recursive: true });
  execFileSync('tar', ['-xf', busyboxArchive(), '-C', path.join(bundle, 'rootfs')]);
  expect(lamella('spec', '--bundle', bundle).status).toBe(0);
  const file = path.join(bundle, 'config.json');
  const config = JSON.parse(readFileSync(file, 'utf8'));
  Object.assign(config.process, { terminal: false, args: ['sh', '-c', 'echo from a plugin; exit 4'] });
  writeFileSync(file, JSON.stringify(config));
  expect(lamella('oci', '--root', at.join('state'), 'run', '--bundle', bundle, 'one')).toMatchObject({ status: 4, stdout: 'from a plugin\n' });

  expect(lamella('plugins', 'install', `file:${pack('test/plugin')}`)).toMatchObject({ status: 0 });
  lamella('import', busyboxArchive(), 'busybox');
  expect(lamella('run', 'busybox', 'sh', '-c', 'exit 3').status).toBe(3);
  expect(readFileSync(log, 'utf8')).toBe('before_create busybox ["sh","-c","exit 3"]\nafter_start true\nafter_exit 3\n');
  const refused = lamella('run', 'busybox', 'forbidden');
  expect([refused.status, refused.stderr]).toEqual([
    125,
    expect.stringContaining('the plugin lamella-example-plugin refused before_create: the example plugin lets nobody run that'),
  ]);
  expect(existsSync(at.join('store/containers')) && lamella('ps', '-a', '-q').stdout).toBe('');
  // A run in the foreground fails at once and ends the container. A detached container continues.
  Object.assign(env, { EXAMPLE_REFUSES: 'after_start' });
  const late = lamella('run', 'busybox', 'sleep', '1000');
  expect([late.status, late.stderr]).toEqual([125, expect.stringContaining('refused after_start')]);
  expect(lamella('ps', '-a', '-q').stdout).toBe('');
  const detached = lamella('run', '-d', 'busybox', 'sleep', '1000');
  expect([detached.status, detached.stdout]).toEqual([125, expect.stringMatching(/^[\da-f]{12}\n$/)]);
  expect(lamella('rm', '-f', detached.stdout.trim()).status).toBe(0);
  Object.assign(env, { EXAMPLE_REFUSES: '' });
  expect(lamella('create', 'busybox', 'true').status).toBe(0);
  expect(lamella('start', lamella('ps', '-a', '-q').stdout.trim()).status).toBe(0);
  expect(readFileSync(log, 'utf8').trim().split('\n').slice(-2)).toEqual(['before_create busybox ["true"]', 'after_start true']);
});

test('plugins are linked, listed, updated and removed, and what is none is refused', { timeout: 300_000 }, async (context) => {
  requiresProgram(context, 'npm');
  await using at = scratch();
  const env = { ...process.env, XDG_DATA_HOME: at.join('data'), LAMELLA_ROOT: at.join('store'), EXAMPLE_LOG: at.join('log') };
  const lamella = (...args: string[]): { status: number | null; stdout: string; stderr: string } =>
    spawnSync(process.execPath, [path.join(checkout, 'apps/cli/bin/lamella'), ...args], { env, encoding: 'utf8' });
  const plugin = at.join('one');
  const manifest = (version: string, rest: object = { oclif: { hooks: { before_create: './hook.js' } } }): void => {
    mkdirSync(plugin, { recursive: true });
    writeFileSync(path.join(plugin, 'package.json'), JSON.stringify({ name: 'one', version, type: 'module', ...rest }));
    writeFileSync(path.join(plugin, 'hook.js'), 'export default async () => {};\n');
  };
  expect(lamella('plugins')).toMatchObject({ status: 0, stdout: '' });
  manifest('1.0.0');
  expect(lamella('plugins', 'link', plugin)).toMatchObject({ status: 0, stdout: 'one\n' });
  expect(JSON.parse(lamella('plugins', '--json').stdout)).toEqual([{ name: 'one', type: 'link', root: plugin, version: '1.0.0' }]);
  expect(lamella('plugins', 'uninstall', 'one')).toMatchObject({ status: 0, stdout: 'one\n' });
  expect(lamella('plugins', 'uninstall', 'one')).toMatchObject({ status: 125, stderr: expect.stringContaining('no such plugin: one') });
  for (const _ of ['once', 'and again']) expect(lamella('plugins', 'install', `file:${plugin}`)).toMatchObject({ status: 0, stdout: 'one\n' });
  expect(lamella('plugins', 'update')).toMatchObject({ status: 0, stdout: 'one 1.0.0\n' });
  expect(lamella('plugins', 'uninstall', 'one').status).toBe(0);
  expect(JSON.parse(lamella('plugins', '--json').stdout)).toEqual([]);
  manifest('1.0.0', {});
  for (const args of [
    ['install', `file:${plugin}`],
    ['link', plugin],
  ])
    expect(lamella('plugins', ...args)).toMatchObject({ status: 125, stderr: expect.stringContaining('is not a plugin: its package.json has neither oclif') });
  expect(lamella('plugins', 'install', `file:${at.join('missing')}`)).toMatchObject({ status: 125, stderr: expect.stringContaining('npm install') });
  expect(JSON.parse(lamella('plugins', '--json').stdout)).toEqual([]);
  Object.assign(env, { PATH: at.join('none') });
  const without = spawnSync(process.execPath, [path.join(checkout, 'apps/cli/bin/lamella.cjs'), 'plugins', 'install', 'one'], { env, encoding: 'utf8' });
  expect(without).toMatchObject({ status: 125, stderr: expect.stringContaining('npm is not in the PATH') });
});
