import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { busyboxArchive, mountsBelow, requiresProgram, type ScratchDirectory, skip } from '@lamella-test/scratch';
import { expect, type TestContext } from 'vitest';
import { CLI, type Outcome } from './cli.js';

/** A user of the machine, for a test that runs as root. */
export interface Somebody {
  readonly uid: number;
  /** Absolute path of a home directory of its own. */
  readonly home: string;
  /** Run a program as this user, in `/`. */
  run(command: string, args: readonly string[], env?: NodeJS.ProcessEnv): Outcome;
  /** The same without waiting; stdout is a pipe, and so is stdin. */
  spawn(command: string, args: readonly string[]): ChildProcess;
  lamella(args: readonly string[], env?: NodeJS.ProcessEnv): Outcome;
  /** Skip a test where there can be no such user. */
  required(context: TestContext): void;
}

/** Who the tests that differ in nothing but rights run as. */
export const WHO: Readonly<
  Record<'root' | 'an ordinary user' | 'an ordinary user with ids in /etc/subuid', (at: ScratchDirectory, devices?: readonly string[]) => Somebody>
> = {
  root: asRoot,
  'an ordinary user': withoutSubIds,
  'an ordinary user with ids in /etc/subuid': withSubIds,
};

/** Those of them that the short form has, too. The other user is in the short form of others, so that each is somewhere. */
export function kinds(...short: readonly Kind[]): readonly Kind[] {
  return process.env.LAMELLA_LONG === undefined ? short : (Object.keys(WHO) as Kind[]);
}

export type Kind = keyof typeof WHO;

/** What a command printed, without its last newline; it has to succeed, and say nothing else. */
export function succeeds(who: Somebody, args: readonly string[]): string {
  const { status, stdout, stderr } = who.lamella(args);
  expect({ args, status, stderr }).toEqual({ args, status: 0, stderr: '' });
  return stdout.replace(/\n$/, '');
}

/** What a command said that has to fail, of Lamella itself. */
export function fails(who: Somebody, args: readonly string[]): string {
  const { status, stderr } = who.lamella(args);
  expect({ args, failed: status === 1 || status === 125 }).toEqual({ args, failed: true });
  return stderr;
}

/** A store in somebody's home, with an image called busybox. */
export function storeOf(at: ScratchDirectory, who: Somebody): string {
  const store = `${who.home}/.local/share/lamella`;
  if (existsSync(store)) return store;
  copyFileSync(busyboxArchive(), at.join('busybox.tar'));
  chmodSync(at.join('busybox.tar'), 0o644);
  succeeds(who, ['import', at.join('busybox.tar'), 'busybox']);
  return store;
}

/** Remove what containers a test left, and see that then there is nothing. */
export function nothingIsLeft(at: ScratchDirectory, who: Somebody, store: string): void {
  const left = who.lamella(['ps', '-aq']).stdout.split('\n').filter(Boolean);
  if (left.length) expect(who.lamella(['rm', '-f', ...left])).toMatchObject({ status: 0, stderr: '' });
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

/** Root itself, with a home of its own. @param devices that it may use, whoever else may: then it is in a mount namespace */
export function asRoot(at: ScratchDirectory, devices: readonly string[] = []): Somebody {
  const home = homeOf(at, 0);
  const before = devices.length ? inMountNamespace(at, `${opened(at, devices)}exec "$@"`) : [];
  return somebody(0, home, { before, env: { LAMELLA_ROOT: `${home}/.local/share/lamella` } }, () => undefined);
}

/** Somebody with no rights, no entry in /etc/subuid, and no home but the one made here. */
export function withoutSubIds(at: ScratchDirectory, devices: readonly string[] = []): Somebody {
  const ids = { uid: 65534, gid: 65534 };
  const home = homeOf(at, ids.uid);
  if (!devices.length) return somebody(ids.uid, home, { ids }, () => undefined);
  const before = inMountNamespace(at, `${opened(at, devices)}exec setpriv --reuid ${ids.uid} --regid ${ids.gid} --clear-groups "$@"`);
  return somebody(ids.uid, home, { before }, (context) => {
    for (const program of ['unshare', 'setpriv']) requiresProgram(context, program);
  });
}

/**
 * Somebody with 65536 ids in /etc/subuid and /etc/subgid. These files are put in place in a mount
 * namespace of each command's: the machine's own stay what they are.
 */
export function withSubIds(at: ScratchDirectory, devices: readonly string[] = ['/dev/fuse']): Somebody {
  const uid = 54321;
  const home = homeOf(at, uid);
  writeFileSync(at.join('passwd'), `${readFileSync('/etc/passwd', 'utf8')}lamella-tester:x:${uid}:${uid}::${home}:/bin/sh\n`);
  for (const name of ['subuid', 'subgid']) writeFileSync(at.join(name), 'lamella-tester:300000:65536\n');
  const script = `
    for name in passwd subuid subgid; do mount --bind "$0/$name" /etc/$name || exit 99; done
    ${opened(at, devices)}
    exec setpriv --reuid ${uid} --regid ${uid} --clear-groups "$@"`;
  return somebody(uid, home, { before: inMountNamespace(at, script) }, (context) => {
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

/** How a command is run as somebody. */
interface Way {
  readonly ids?: { readonly uid: number; readonly gid: number };
  /** What runs it. */
  readonly before?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

function somebody(uid: number, home: string, { ids, before = [], env: own }: Way, programs: (context: TestContext) => void): Somebody {
  const commandOf = (command: string, args: readonly string[]): [string, string[]] => {
    const [first = '', ...rest] = [...before, command, ...args];
    return [first, rest];
  };
  const optionsOf = (env?: NodeJS.ProcessEnv) => ({ ...ids, cwd: '/', env: { PATH: process.env.PATH, HOME: home, ...own, ...env } });
  const run: Somebody['run'] = (command, args, env) => outcome(spawnSync(...commandOf(command, args), { ...optionsOf(env), encoding: 'utf8' }));
  return {
    uid,
    home,
    run,
    spawn: (command, args) => spawn(...commandOf(command, args), { ...optionsOf(), stdio: ['pipe', 'pipe', 'inherit'] }),
    lamella: (args, env) => run(CLI, args, { LAMELLA_NODE: process.execPath, ...env }),
    required(context) {
      programs(context);
      if (run(process.execPath, ['-e', `require('fs').accessSync(${JSON.stringify(CLI)})`]).status !== 0)
        skip(context, 'another user cannot read this checkout');
      if (run('unshare', ['-Ur', 'true']).status !== 0) skip(context, 'ordinary users cannot make user namespaces here');
    },
  };
}
