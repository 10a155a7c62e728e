import { execFile } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { requiresOverlayUppers, requiresProgram, requiresRoot, type ScratchDirectory, scratch } from '@lamella-test/scratch';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CLI } from './cli.js';

/** A mistake, as words of a shell after `lamella try`, with lines before it; and what it prints. */
const WRONG: Readonly<Record<string, { readonly before?: string; readonly words: string; readonly says: RegExp; readonly status?: number }>> = {
  'a command that is nowhere': { words: 'no-such-command a', says: /no-such-command: not found[\s\S]*lamella try 'no-such-command a'/, status: 127 },
  'a path that is nowhere': { words: '/no/such', says: /\/no\/such: not found/, status: 127 },
  'a file that is no program': { words: './plain', says: /\.\/plain: cannot be executed: EACCES/, status: 126 },
  'a script of an interpreter that is nowhere': { words: './script', says: /\.\/script: not found[\s\S]*interpreter/, status: 127 },
  'a program of another machine': { words: './garbage', says: /\.\/garbage: cannot be executed: ENOEXEC/, status: 126 },
  'a directory': { words: './dir', says: /\.\/dir: cannot be executed: EACCES/, status: 126 },
  'a box that is not there': { words: '-D nowhere true', says: /mkdir nowhere/ },
  'a box that is a file': { words: '-D plain true', says: /plain is not a directory/ },
  'a box that is closed': { before: 'chmod 0 /proc/self/cwd/shut', words: '-D shut/x true', says: /shut\/x/ },
  'a store that cannot be': { words: '--root /dev/null true', says: /\/dev\/null\/containers cannot be made: ENOTDIR/ },
  'a box that is read-only': { before: 'mount -t tmpfs -o ro tmpfs dir', words: '-D dir true', says: /dir\/containers cannot be made: EROFS/ },
  'a box that is full': {
    before: 'mount -t tmpfs -o size=16k,mode=777 tmpfs dir; head -c 16384 /dev/zero >dir/full',
    words: '-D dir true',
    says: /no space is left below .*\/dir[\s\S]*-D DIR/,
  },
  'a box on an overlay': {
    before: 'mkdir -p l u w o; mount -t overlay -o lowerdir=l,upperdir=u,workdir=w overlay o; chmod 777 o',
    words: '-D o true',
    says: /changes cannot be kept in .*\/o[\s\S]*ext4/,
  },
  'a box that is in use': {
    before:
      'mkdir used; chmod 777 used; lamella try -D used sleep 30 </dev/null >/dev/null 2>&1 & until lamella ps -q --root used | grep -q .; do sleep 0.1; done',
    words: '-D used true',
    says: /another command is running on these changes[\s\S]*lamella ps --root .*used/,
  },
  'a directory that is gone': { before: 'mkdir gone; cd gone; rmdir ../gone', words: 'true', says: /the working directory was removed/ },
  'something to hide that is nowhere': { words: '--hide /no/such true', says: /\/no\/such cannot be hidden: ENOENT/ },
  'a pattern that is none': { words: "-i '(' true", says: /invalid regular expression '\('/ },
  'no command': { words: '', says: /no command given/ },
};

describe.each(process.env.LAMELLA_LONG === undefined ? [65534] : [0, 65534])('what is said to user %s about', (uid) => {
  let at: ScratchDirectory;

  beforeAll(() => {
    at = scratch();
    chmodSync(at.path, 0o755);
    mkdirSync(at.join('home/dir'), { recursive: true });
    mkdirSync(at.join('home/shut'), { recursive: true });
    writeFileSync(at.join('home/plain'), 'plain', { mode: 0o644 });
    writeFileSync(at.join('home/script'), '#!/no/such/interpreter\n', { mode: 0o755 });
    writeFileSync(at.join('home/garbage'), 'garbage', { mode: 0o755 });
    for (const name of ['home', 'home/dir', 'home/plain', 'home/script', 'home/garbage']) chownSync(at.join(name), uid, uid);
  });
  afterAll(() => at?.[Symbol.asyncDispose]());

  test.concurrent.each(Object.entries(WRONG))('%s', { timeout: 120_000 }, async (name, { before = '', words, says, status = 125 }) => {
    const context = { task: { name }, skip: () => undefined } as never;
    requiresRoot(context);
    requiresOverlayUppers(context);
    for (const program of ['unshare', 'setpriv', 'bash']) requiresProgram(context, program);
    const script = `
      as() { ${uid === 0 ? '"$@"' : `setpriv --reuid ${uid} --regid ${uid} --clear-groups "$@"`}; }
      lamella() { as ${process.execPath} ${CLI} "$@"; }
      export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=$PWD LAMELLA_ROOT=$PWD/store
      ${before}
      lamella try ${words} </dev/null; echo "status $?"; kill %1 2>/dev/null; wait; true`;
    const { stdout, stderr } = await promisify(execFile)('unshare', ['-m', 'bash', '-c', script], { cwd: at.join('home') });
    expect(stdout.trim(), stderr).toBe(`status ${status}`);
    expect(stderr).toMatch(says);
    // The hint does not name images, containers or files of Lamella.
    expect(stderr).not.toMatch(/\bimage|container\b|internal error|defect|old\/0|openat|mkdirat|fsconfig|ENOENT: no such file/);
  });
});
