import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { requiresProgram, type ScratchDirectory, skip } from '@lamella-test/scratch';
import type { TestContext } from 'vitest';
import { CLI, type Outcome } from './cli.js';

/** A user of the machine, for a test that runs as root. */
export interface Somebody {
  readonly uid: number;
  /** Absolute path of a home directory of its own. */
  readonly home: string;
  /** Run a program as this user, in `/`. */
  run(command: string, args: readonly string[], env?: NodeJS.ProcessEnv): Outcome;
  lamella(args: readonly string[], env?: NodeJS.ProcessEnv): Outcome;
  /** Skip a test where there can be no such user. */
  required(context: TestContext): void;
}

/** Root itself, with a home of its own. */
export function asRoot(at: ScratchDirectory): Somebody {
  const home = homeOf(at, 0);
  const run: Somebody['run'] = (command, args, env) =>
    outcome(
      spawnSync(command, args, {
        cwd: '/',
        encoding: 'utf8',
        env: { PATH: process.env.PATH, HOME: home, LAMELLA_ROOT: `${home}/.local/share/lamella`, ...env },
      }),
    );
  return somebody(0, home, run, () => undefined);
}

/** Somebody with no rights, no entry in /etc/subuid, and no home but the one made here. */
export function withoutSubIds(at: ScratchDirectory): Somebody {
  const ids = { uid: 65534, gid: 65534 };
  const home = homeOf(at, ids.uid);
  const run: Somebody['run'] = (command, args, env) =>
    outcome(spawnSync(command, args, { ...ids, cwd: '/', encoding: 'utf8', env: { PATH: process.env.PATH, HOME: home, ...env } }));
  return somebody(ids.uid, home, run, () => undefined);
}

/**
 * Somebody with 65536 ids in /etc/subuid and /etc/subgid. These files are put in place in a mount
 * namespace of each command's: the machine's own stay what they are.
 */
export function withSubIds(at: ScratchDirectory): Somebody {
  const uid = 54321;
  const home = homeOf(at, uid);
  writeFileSync(at.join('passwd'), `${readFileSync('/etc/passwd', 'utf8')}lamella-tester:x:${uid}:${uid}::${home}:/bin/sh\n`);
  for (const name of ['subuid', 'subgid']) writeFileSync(at.join(name), 'lamella-tester:300000:65536\n');
  const script = `
    for name in passwd subuid subgid; do mount --bind "$0/$name" /etc/$name || exit 99; done
    exec setpriv --reuid ${uid} --regid ${uid} --clear-groups "$@"`;
  const run: Somebody['run'] = (command, args, env) =>
    outcome(
      spawnSync('unshare', ['-m', 'sh', '-c', script, at.path, command, ...args], {
        cwd: '/',
        encoding: 'utf8',
        env: { PATH: process.env.PATH, HOME: home, ...env },
      }),
    );
  return somebody(uid, home, run, (context) => {
    for (const program of ['newuidmap', 'newgidmap', 'unshare', 'setpriv']) requiresProgram(context, program);
  });
}

function homeOf(at: ScratchDirectory, uid: number): string {
  chmodSync(at.path, 0o755);
  const home = at.join(`home-${uid}`);
  mkdirSync(home);
  chownSync(home, uid, uid);
  return home;
}

function outcome({ status, stdout, stderr }: { status: number | null; stdout: string; stderr: string }): Outcome {
  return { status, stdout, stderr };
}

function somebody(uid: number, home: string, run: Somebody['run'], programs: (context: TestContext) => void): Somebody {
  return {
    uid,
    home,
    run,
    lamella: (args, env) => run(process.execPath, [CLI, ...args], env),
    required(context) {
      programs(context);
      if (run(process.execPath, ['-e', `require('fs').accessSync(${JSON.stringify(CLI)})`]).status !== 0)
        skip(context, 'another user cannot read this checkout');
      if (run('unshare', ['-Ur', 'true']).status !== 0) skip(context, 'ordinary users cannot make user namespaces here');
    },
  };
}
