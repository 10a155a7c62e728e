import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, realpathSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { findProgram, requiresProgram, requiresRoot, scratch, skip } from '@lamella-test/scratch';
import { expect, type TestContext, test } from 'vitest';
import { cli } from './cli.js';

/** A machine with Node and npm, and nothing else that the README does not ask for. */
const checkout = path.join(import.meta.dirname, '../../..');
/** What npm needs to reach its registry from here. */
const NETWORK = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => /^(?:https?_proxy|no_proxy|node_extra_ca_certs|npm_config_registry)$/i.test(name)),
);
const ELF_MACHINE = { x64: 62, arm64: 183 };

test('the C compiler that npm has makes lamella-init, and it runs', { timeout: 240_000 }, async (context) => {
  if (process.arch !== 'x64') skip(context, 'npm has a C compiler for x64 only');
  await using at = scratch();
  // A checkout with no more than what brings the compiler.
  for (const part of ['scripts/bootstrap.mjs', 'scripts/zig', 'packages/syscall/native'])
    cpSync(path.join(checkout, part), at.join('checkout', part), { recursive: true, filter: (file) => !file.endsWith('native/build') });
  execFileSync(process.execPath, [at.join('checkout/scripts/bootstrap.mjs'), 'zig'], { stdio: 'ignore' });
  const build = at.join('checkout/packages/syscall/native/build.mjs');
  for (const arch of process.env.LAMELLA_LONG ? (['x64', 'arm64'] as const) : (['x64'] as const)) {
    const { status, stderr } = spawnSync(process.execPath, [build, at.join(arch), '--arch', arch], { encoding: 'utf8', env: { PATH: at.join('none') } });
    expect([status, stderr]).toEqual([0, '']);
    const elf = readFileSync(at.join(arch));
    expect(elf.readUInt16LE(18)).toBe(ELF_MACHINE[arch]);
    expect(programHeaders(elf)).not.toContain(PT_INTERP);
  }
  const { stdout } = cli(at.join('store'))(['doctor'], { env: { LAMELLA_INIT: at.join('x64') } });
  expect(stdout).toMatch(/^interpreter +ok/m);
});

const PT_INTERP = 3;
function programHeaders(elf: Buffer): number[] {
  const [offset, size, count] = [Number(elf.readBigUInt64LE(32)), elf.readUInt16LE(54), elf.readUInt16LE(56)];
  return Array.from({ length: count }, (_, i) => elf.readUInt32LE(offset + i * size));
}

test('without a busybox the tour has an image of the shell of this machine', async (context) => {
  requiresRoot(context);
  await using at = scratch();
  const script = `const { makeShellImage } = await import(${JSON.stringify(path.join(checkout, 'scripts/busybox-image.mjs'))}); makeShellImage(process.argv[1]);`;
  execFileSync(process.execPath, ['--input-type=module', '--eval', script, at.join('sh.tar')]);
  const lamella = cli(at.join('store'));
  expect(lamella(['import', at.join('sh.tar'), 'sh']).status).toBe(0);
  const run = lamella(['run', 'sh', '/bin/sh', '-c', 'while read -r a b; do [ "$a" = Pid: ] && echo "pid $b"; done < /proc/self/status; :']);
  expect([run.status, run.stdout]).toEqual([0, expect.stringMatching(/^pid \d+\n$/)]);
});

test.runIf(process.env.LAMELLA_LONG)('npm start works on a machine with Node 20 and npm alone', { timeout: 900_000 }, async (context) => {
  requiresRoot(context);
  requiresProgram(context, 'pivot_root');
  const unshare = requiresProgram(context, 'unshare');
  await using at = scratch();
  const root = at.join('root');
  layMachine(root, context);
  layCheckout(path.join(root, 'work'));
  const started = spawnSync(unshare, ['--mount', '--pid', '--fork', '--kill-child', '--propagation', 'private', 'sh', '-ec', ENTER, 'sh', root], {
    encoding: 'utf8',
    env: { ...NETWORK, PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root' },
  });
  expect(started.stderr).toContain('no C compiler here can make it for linux-x64 (not installed: cc, gcc, clang)');
  expect(started.stderr).toContain('the C compiler of Zig');
  expect([started.status, started.stdout], started.stderr).toEqual([0, expect.stringContaining('✓ no mount is left')]);
});

/** In new namespaces the tree becomes the root, and `npm start` runs in it. */
const ENTER = `
mount --bind "$1" "$1"; mount -t proc proc "$1/proc"; mount --rbind /sys "$1/sys"; mount --rbind /dev "$1/dev"
cd "$1"; pivot_root . old
exec /bin/busybox sh -c 'umount -l /old; cd /work; export PATH=/usr/bin:/bin; exec npm start'`;

/** A root filesystem: the C library, Node, npm, and a shell with what scripts of npm's packages call. */
function layMachine(root: string, context: TestContext): void {
  const node = (process.env.PATH ?? '')
    .split(':')
    .filter((directory) => !directory.includes('.toolchain') && !directory.includes('node_modules'))
    .map((directory) => path.join(directory, 'node'))
    .find((file) => existsSync(file));
  const npm = node && path.join(path.dirname(realpathSync(node)), '../lib/node_modules/npm');
  if (!npm || !existsSync(npm)) skip(context, 'this machine has no Node with its npm besides ours');
  const busybox = findProgram('busybox') ?? skip(context, 'busybox is not installed');
  for (const directory of ['bin', 'usr/bin', 'usr/lib/node_modules', 'etc', 'tmp', 'root', 'proc', 'sys', 'dev', 'old', 'work'])
    mkdirSync(path.join(root, directory), { recursive: true });
  copyFileSync(busybox, path.join(root, 'bin/busybox'));
  for (const name of ['sh', 'env', 'uname', 'sed', 'dirname']) symlinkSync('busybox', path.join(root, 'bin', name));
  symlinkSync('/bin/env', path.join(root, 'usr/bin/env'));
  copyFileSync(node, path.join(root, 'usr/bin/node'));
  cpSync(npm, path.join(root, 'usr/lib/node_modules/npm'), { recursive: true });
  symlinkSync('../lib/node_modules/npm/bin/npm-cli.js', path.join(root, 'usr/bin/npm'));
  const loaded = [...execFileSync('ldd', [node], { encoding: 'utf8' }).matchAll(/(?:^|\s)(\/\S+)/gm)].map(([, file = '']) => file);
  const libc = path.dirname(loaded.find((file) => file.includes('libc.so')) ?? '/lib/x86_64-linux-gnu/libc.so.6');
  const rest = ['librt.so.1', 'libutil.so.1', 'libresolv.so.2', 'libnss_dns.so.2', 'libnss_files.so.2'].map((name) => path.join(libc, name));
  const settings = ['/etc/resolv.conf', '/etc/hosts', '/etc/passwd', '/etc/group', process.env.NODE_EXTRA_CA_CERTS ?? ''];
  for (const file of [...loaded, ...rest, ...settings].filter((each) => each && existsSync(each))) {
    mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
    copyFileSync(file, path.join(root, file));
  }
}

/** The files of the checkout, as git has them. */
function layCheckout(to: string): void {
  const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: checkout, encoding: 'utf8' });
  for (const file of files.split('\0').filter((each) => each && existsSync(path.join(checkout, each))))
    cpSync(path.join(checkout, file), path.join(to, file), { verbatimSymlinks: true });
}
