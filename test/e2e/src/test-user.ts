import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { busyboxArchive, mountsBelow, requiresProgram, type ScratchDirectory, skip } from '@lamella-test/scratch';
import { expect, type TestContext } from 'vitest';
import { CLI, type Outcome } from './cli.js';

/** A user of this machine. A test that runs as root acts as that user. */
export interface TestUser {
  readonly uid: number;
  /** Absolute path of the home directory. */
  readonly home: string;
  /** Runs a program as this user, in `/`. */
  run(command: string, args: readonly string[], env?: NodeJS.ProcessEnv): Outcome;
  /** Does the same without waiting. Its stdin and stdout are pipes. */
  spawn(command: string, args: readonly string[]): ChildProcess;
  /** Runs the CLI as this user. */
  lamella(args: readonly string[], env?: NodeJS.ProcessEnv): Outcome;
  /** Skips the test where this machine cannot have such a user. */
  require(context: TestContext): void;
}

/** The users that differ in their rights alone. Each function creates the user's home in the scratch directory. */
export const USERS: Readonly<
  Record<'root' | 'an ordinary user' | 'an ordinary user with ids in /etc/subuid', (at: ScratchDirectory, devices?: readonly string[]) => TestUser>
> = {
  root: rootUser,
  'an ordinary user': ordinaryUser,
  'an ordinary user with ids in /etc/subuid': subIdUser,
};

/** Returns the given kinds, or all kinds with LAMELLA_LONG. Each kind is in the short form of some suite. */
export function kindsToRun(...short: readonly UserKind[]): readonly UserKind[] {
  return process.env.LAMELLA_LONG === undefined ? short : (Object.keys(USERS) as UserKind[]);
}

export type UserKind = keyof typeof USERS;

/** Returns what a command printed, without the last newline. The command must succeed with an empty stderr. */
export function succeeds(user: TestUser, args: readonly string[]): string {
  const { status, stdout, stderr } = user.lamella(args);
  expect({ args, status, stderr }).toEqual({ args, status: 0, stderr: '' });
  return stdout.replace(/\n$/, '');
}

/** Returns the stderr of a command that must fail with an error of Lamella itself. */
export function fails(user: TestUser, args: readonly string[]): string {
  const { status, stderr } = user.lamella(args);
  expect({ args, failed: status === 1 || status === 125 }).toEqual({ args, failed: true });
  return stderr;
}

/** Returns the store in the user's home. It has an image `busybox`. */
export function storeOf(at: ScratchDirectory, user: TestUser): string {
  const store = `${user.home}/.local/share/lamella`;
  if (existsSync(store)) return store;
  copyFileSync(busyboxArchive(), at.join('busybox.tar'));
  chmodSync(at.join('busybox.tar'), 0o644);
  succeeds(user, ['import', at.join('busybox.tar'), 'busybox']);
  return store;
}

/** Removes the containers of a test, and checks that nothing else is left. */
export function nothingIsLeft(at: ScratchDirectory, user: TestUser, store: string): void {
  const left = user.lamella(['ps', '-aq']).stdout.split('\n').filter(Boolean);
  if (left.length) expect(user.lamella(['rm', '-f', ...left])).toMatchObject({ status: 0, stderr: '' });
  const entries = (directory: string): string[] => (existsSync(directory) ? readdirSync(directory) : []).filter((name) => !name.startsWith('.'));
  expect([entries(`${store}/containers`), entries(`${store}/frozen`), mountsBelow(at.path)]).toEqual([[], [], []]);
}

/** Devices that everybody may use on most machines, as udev has it: by what they are called, and their numbers. */
const DEVICES: Readonly<Record<string, readonly [name: string, major: string, minor: string]>> = {
  '/dev/fuse': ['fuse', '10', '229'],
  '/dev/net/tun': ['tun', '10', '200'],
};

/** Lines of a shell whose `$0` is the scratch directory, after which devices are everybody's in its mount namespace. */
function opened(at: ScratchDirectory, devices: readonly string[]): string {
  return devices
    .filter((device) => existsSync(device))
    .map((device) => {
      const [name = '', ...numbers] = DEVICES[device] ?? [];
      spawnSync('mknod', ['-m', '666', at.join(name), 'c', ...numbers]);
      return `mount --bind "$0/${name}" ${device} || exit 98\n`;
    })
    .join('');
}

function inMountNamespace(at: ScratchDirectory, script: string): readonly string[] {
  return ['unshare', '-m', 'sh', '-c', script, at.path];
}

/** Root itself, with a separate home. @param devices that it may use even if others may not: then it is in a mount namespace */
export function rootUser(at: ScratchDirectory, devices: readonly string[] = []): TestUser {
  const home = homeOf(at, 0);
  const before = devices.length ? inMountNamespace(at, `${opened(at, devices)}exec "$@"`) : [];
  return testUser(0, home, { before, env: { LAMELLA_ROOT: `${home}/.local/share/lamella` } }, () => undefined);
}

/** TestUser with no rights, no entry in /etc/subuid, and no home but the one made here. */
export function ordinaryUser(at: ScratchDirectory, devices: readonly string[] = []): TestUser {
  const ids = { uid: 65534, gid: 65534 };
  const home = homeOf(at, ids.uid);
  if (!devices.length) return testUser(ids.uid, home, { ids }, () => undefined);
  const before = inMountNamespace(at, `${opened(at, devices)}exec setpriv --reuid ${ids.uid} --regid ${ids.gid} --clear-groups "$@"`);
  return testUser(ids.uid, home, { before }, (context) => {
    for (const program of ['unshare', 'setpriv']) requiresProgram(context, program);
  });
}

/**
 * TestUser with 65536 ids in /etc/subuid and /etc/subgid. These files are put in place in a mount
 * namespace of each command's: the machine's own stay what they are.
 */
export function subIdUser(at: ScratchDirectory, devices: readonly string[] = ['/dev/fuse']): TestUser {
  const uid = 54321;
  const home = homeOf(at, uid);
  writeFileSync(at.join('passwd'), `${readFileSync('/etc/passwd', 'utf8')}lamella-tester:x:${uid}:${uid}::${home}:/bin/sh\n`);
  for (const name of ['subuid', 'subgid']) writeFileSync(at.join(name), 'lamella-tester:300000:65536\n');
  const script = `
    for name in passwd subuid subgid; do mount --bind "$0/$name" /etc/$name || exit 99; done
    ${opened(at, devices)}
    exec setpriv --reuid ${uid} --regid ${uid} --clear-groups "$@"`;
  return testUser(uid, home, { before: inMountNamespace(at, script) }, (context) => {
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

/** How a user's command runs. */
interface Way {
  readonly ids?: { readonly uid: number; readonly gid: number };
  /** What runs it. */
  readonly before?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

function testUser(uid: number, home: string, { ids, before = [], env: own }: Way, programs: (context: TestContext) => void): TestUser {
  const commandOf = (command: string, args: readonly string[]): [string, string[]] => {
    const [first = '', ...rest] = [...before, command, ...args];
    return [first, rest];
  };
  const optionsOf = (env?: NodeJS.ProcessEnv) => ({ ...ids, cwd: '/', env: { PATH: process.env.PATH, HOME: home, ...own, ...env } });
  const run: TestUser['run'] = (command, args, env) => outcome(spawnSync(...commandOf(command, args), { ...optionsOf(env), encoding: 'utf8' }));
  return {
    uid,
    home,
    run,
    spawn: (command, args) => spawn(...commandOf(command, args), { ...optionsOf(), stdio: ['pipe', 'pipe', 'inherit'] }),
    lamella: (args, env) => run(CLI, args, { LAMELLA_NODE: process.execPath, ...env }),
    require(context) {
      programs(context);
      if (run(process.execPath, ['-e', `require('fs').accessSync(${JSON.stringify(CLI)})`]).status !== 0)
        skip(context, 'another user cannot read this checkout');
      if (run('unshare', ['-Ur', 'true']).status !== 0) skip(context, 'ordinary users cannot make user namespaces here');
    },
  };
}
