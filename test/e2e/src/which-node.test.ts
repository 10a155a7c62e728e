import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, readlinkSync, realpathSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { interpreterPath } from '@lamella/syscall';
import { OCI_RUNTIME, requiresRoot, type ScratchDirectory, scratch } from '@lamella-test/scratch';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CLI, type Outcome } from './cli.js';

const PACKAGES = [
  ['lamella', CLI],
  ['@lamella/oci-runtime', OCI_RUNTIME],
].flatMap(([name = '', program = '']) => [
  { name, program, native: true, how: 'the native launcher' },
  { name, program, native: false, how: 'sh' },
]);

describe.each(PACKAGES)('the command of $name, installed globally by npm and started by $how,', ({ name, program, native }) => {
  let at: ScratchDirectory;
  let installed: string;
  let command: string;
  let remembered: string;
  /** The package with the native launcher. */
  let platform: string;

  beforeEach(() => {
    at = scratch();
    chmodSync(at.path, 0o755);
    const top = path.dirname(path.dirname(program));
    // The layout that npm gives a prefix.
    installed = at.join('prefix/lib/node_modules', name);
    for (const part of ['bin', 'dist', 'package.json', 'oclif.manifest.json'])
      if (existsSync(path.join(top, part))) cpSync(path.join(top, part), path.join(installed, part), { recursive: true, verbatimSymlinks: true });
    platform = path.join(installed, `node_modules/@lamella/init-linux-${process.arch}`);
    if (native)
      for (const file of ['package.json', 'lamella-init'])
        cpSync(path.join(path.dirname(interpreterPath()), file), path.join(platform, file), { recursive: true });
    mkdirSync(at.join('prefix/bin'));
    command = at.join('prefix/bin', path.basename(program));
    symlinkSync(path.relative(at.join('prefix/bin'), path.join(installed, 'bin', path.basename(program))), command);
    remembered = path.join(installed, '.node');
    mkdirSync(at.join('good'));
    symlinkSync(process.execPath, at.join('good/node'));
    mkdirSync(at.join('old'));
    writeFileSync(at.join('old/node'), '#!/bin/sh\nexit 77\n', { mode: 0o755 });
    // The bundle of `run` needs no other package.
    writeFileSync(at.join('env'), 'no name\n');
  });
  afterEach(() => at[Symbol.asyncDispose]());

  const run = (place: string, env: NodeJS.ProcessEnv = {}, uid = process.geteuid?.() ?? 0): Outcome => {
    // Both need nothing but Node to refuse this.
    const args = name === 'lamella' ? ['run', '--env-file', at.join('env')] : ['--version'];
    const { status, stdout, stderr } = spawnSync(command, args, { env: { PATH: at.join(place), HOME: at.path, ...env }, encoding: 'utf8', uid });
    return { status, stdout, stderr };
  };
  const works = name === 'lamella' ? { status: 125, stderr: expect.stringContaining('image') } : { status: 0, stdout: expect.stringContaining('lamella-oci') };

  test('goes on with the Node that ran it first, whatever comes first in PATH', () => {
    expect(run('old')).toMatchObject({ status: 77 });
    expect(run('good')).toMatchObject(works);
    expect(readlinkSync(remembered)).toBe(process.execPath);
    expect(run('old')).toMatchObject(works);
    expect(run('nowhere')).toMatchObject(works);
    const launcher = path.join(installed, '.init');
    if (native) expect(realpathSync(launcher)).toBe(realpathSync(path.join(platform, 'lamella-init')));
    else expect(existsSync(launcher)).toBe(false);
    // The user's word is above that.
    expect(run('good', { LAMELLA_NODE: at.join('old/node') })).toMatchObject({ status: 77 });
  });

  test('takes another when that is gone', () => {
    symlinkSync(at.join('gone'), remembered);
    expect(run('old')).toMatchObject({ status: 77 });
    expect(run('good')).toMatchObject(works);
    expect(readlinkSync(remembered)).toBe(process.execPath);
  });

  test('goes on by sh when the launcher is gone', () => {
    expect(run('good')).toMatchObject(works);
    rmSync(platform, { recursive: true, force: true });
    expect(run('old')).toMatchObject(works);
  });

  test('finds the Node that npm is beside', () => {
    symlinkSync(process.execPath, at.join('prefix/bin/node'));
    expect(run('old')).toMatchObject(works);
    unlinkSync(at.join('prefix/bin/node'));
    rmSync(remembered);
    expect(run('nowhere')).toMatchObject({ status: name === 'lamella' ? 125 : 1, stderr: expect.stringContaining('LAMELLA_NODE') });
  });

  test('remembers nothing in what is another user’s, or for a Node that the user names', (context) => {
    requiresRoot(context);
    expect(run('good', {}, 65534)).toMatchObject(works);
    expect(run('nowhere', { LAMELLA_NODE: process.execPath })).toMatchObject(works);
    chownSync(installed, 65534, 65534);
    expect(run('good')).toMatchObject(works);
    expect(existsSync(remembered)).toBe(false);
  });

  test('says which program cannot be executed', () => {
    writeFileSync(at.join('old/node'), '#!/missing\n');
    const { status, stderr } = run('nowhere', { LAMELLA_NODE: at.join('old/node') });
    if (native)
      expect({ status, stderr }).toEqual({
        status: name === 'lamella' ? 125 : 1,
        stderr: `${path.basename(program)}: cannot execute ${at.join('old/node')}: it does not exist, or its interpreter does not\n`,
      });
    else expect(status).toBeGreaterThan(0);
  });
});
