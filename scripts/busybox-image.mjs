/** Makes images for the tour and the tests: of a static busybox, or of the machine's own shell. */
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, readSync, realpathSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { writeTar } from './write-tar.mjs';

const PLACES = ['/bin/busybox', '/usr/bin/busybox', '/usr/local/bin/busybox'];
const FILES = {
  'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/usr/sbin:/bin/false\nnobody:x:65534:65534:nobody:/home:/bin/false\n',
  'etc/group': 'root:x:0:\ndaemon:x:1:\ntty:x:5:\nusers:x:100:\nnogroup:x:65534:\n',
};
const DIRECTORIES = ['bin', 'dev', 'etc', 'home', 'proc', 'root', 'sys', 'tmp', 'usr', 'usr/bin', 'usr/sbin', 'var', 'var/spool'];

/**
 * @param {string} target absolute path of the tar; made unless it exists
 * @returns {string} where the busybox came from
 */
export async function makeBusyboxImage(target) {
  if (existsSync(target)) return target;
  const scratch = mkdtempSync(path.join(tmpdir(), 'lamella-busybox-'));
  try {
    const busybox = PLACES.find(isStatic) ?? fromDebian(scratch);
    if (!busybox)
      throw new Error(
        'no static busybox on this machine, and none from Debian either.\n  Install one (apt-get install busybox-static), or import an image of your own: ./lamella import rootfs.tar NAME',
      );
    const applets = appletsOf(busybox).filter((applet) => applet !== 'busybox');
    archive(target, [
      { name: 'bin/busybox', type: 'file', mode: 0o755, content: readFileSync(busybox) },
      ...applets.map((applet) => ({ name: `bin/${applet}`, type: 'symlink', mode: 0o777, linkname: 'busybox' })),
    ]);
    return busybox;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/**
 * Makes an image of the machine's /bin/sh and its libraries, for machines without busybox.
 *
 * @param {string} target absolute path of the tar; made anew
 */
export function makeShellImage(target) {
  const shell = realpathSync('/bin/sh');
  // The loader says what it would load, and runs nothing. A static shell has none, and says nothing.
  const { stdout } = spawnSync(shell, ['-c', ':'], { env: { LD_TRACE_LOADED_OBJECTS: '1' }, encoding: 'utf8' });
  const libraries = [...stdout.matchAll(/(?:^|\s)(\/\S+)/gm)].map(([, file]) => file);
  const files = new Map([['bin/sh', shell], ...libraries.map((file) => [file.slice(1), file])]);
  const parents = new Set([...files.keys()].flatMap((name) => name.split('/').map((_, i, parts) => parts.slice(0, i).join('/'))));
  for (const known of ['', ...DIRECTORIES]) parents.delete(known);
  archive(target, [
    ...[...parents].map((name) => ({ name: `${name}/`, type: 'directory', mode: 0o755 })),
    ...[...files].map(([name, file]) => ({ name, type: 'file', mode: 0o755, content: readFileSync(file) })),
  ]);
}

/** A root filesystem: the directories and files that every one has, and these. */
function archive(target, entries) {
  const modes = { root: 0o700, tmp: 0o1777 };
  mkdirSync(path.dirname(target), { recursive: true });
  const partial = `${target}.partial`;
  writeTar(partial, [
    ...DIRECTORIES.map((name) => ({ name: `${name}/`, type: 'directory', mode: modes[name] ?? 0o755 })),
    ...Object.entries(FILES).map(([name, text]) => ({ name, type: 'file', mode: 0o644, content: Buffer.from(text) })),
    ...entries,
  ]);
  renameSync(partial, target);
}

function appletsOf(busybox) {
  const listed = spawnSync(busybox, ['--list'], { encoding: 'utf8' });
  if (listed.status !== 0) throw new Error(`${busybox} --list failed: ${listed.error?.message ?? listed.stderr}`);
  return listed.stdout.split('\n').filter(Boolean);
}

/** A 64-bit ELF file whose program headers name no loader (PT_INTERP). */
function isStatic(file) {
  if (!existsSync(file)) return false;
  const head = Buffer.alloc(4096);
  const fd = openSync(file, 'r');
  readSync(fd, head, 0, head.length, 0);
  closeSync(fd);
  if (head.toString('latin1', 0, 5) !== '\x7fELF\x02') return false;
  const [at, size, count] = [Number(head.readBigUInt64LE(32)), head.readUInt16LE(54), head.readUInt16LE(56)];
  for (let i = 0; i < count; i++) if (head.readUInt32LE(at + i * size) === 3) return false;
  return true;
}

/** Debian's package, taken apart without being installed: that needs no root. */
function fromDebian(scratch) {
  const environment = { ...process.env, LC_ALL: 'C' };
  const run = (command, args) => spawnSync(command, args, { cwd: scratch, env: environment, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).status === 0;
  const download = () => run('apt-get', ['download', '-q', 'busybox-static']);
  if (!download() && !(process.geteuid?.() === 0 && run('apt-get', ['update', '-q']) && download())) return undefined;
  const deb = readdirSync(scratch).find((name) => name.endsWith('.deb'));
  if (!deb || !run('dpkg-deb', ['-x', deb, 'deb'])) return undefined;
  return [path.join(scratch, 'deb/bin/busybox'), path.join(scratch, 'deb/usr/bin/busybox')].find(isStatic);
}
