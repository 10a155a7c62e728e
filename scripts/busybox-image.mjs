/** Makes `busybox.tar`, the root filesystem of the default image, from a static busybox. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const PLACES = ['/bin/busybox', '/usr/bin/busybox', '/usr/local/bin/busybox'];
const FILES = {
  'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/usr/sbin:/bin/false\nnobody:x:65534:65534:nobody:/home:/bin/false\n',
  'etc/group': 'root:x:0:\ndaemon:x:1:\ntty:x:5:\nusers:x:100:\nnogroup:x:65534:\n',
};
const DIRECTORIES = ['bin', 'dev', 'etc', 'home', 'proc', 'root', 'sys', 'tmp', 'usr/bin', 'usr/sbin', 'var/spool'];

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
    const rootfs = path.join(scratch, 'rootfs');
    for (const directory of DIRECTORIES) mkdirSync(path.join(rootfs, directory), { recursive: true, mode: 0o755 });
    chmodSync(path.join(rootfs, 'tmp'), 0o1777);
    chmodSync(path.join(rootfs, 'root'), 0o700);
    for (const [name, text] of Object.entries(FILES)) writeFileSync(path.join(rootfs, name), text, { mode: 0o644 });
    copyFileSync(busybox, path.join(rootfs, 'bin/busybox'));
    chmodSync(path.join(rootfs, 'bin/busybox'), 0o755);
    for (const applet of appletsOf(busybox)) if (applet !== 'busybox') symlinkSync('busybox', path.join(rootfs, 'bin', applet));
    mkdirSync(path.dirname(target), { recursive: true });
    const partial = `${target}.partial`;
    // The same busybox makes the same image, whoever makes it and when.
    const archived = spawnSync(
      'tar',
      ['--owner=0', '--group=0', '--numeric-owner', '--sort=name', '--mtime=@0', '-cf', partial, '-C', rootfs, ...readdirSync(rootfs).sort()],
      { encoding: 'utf8' },
    );
    if (archived.status !== 0) throw new Error(`tar failed: ${archived.error?.message ?? archived.stderr}`);
    renameSync(partial, target);
    return busybox;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
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
