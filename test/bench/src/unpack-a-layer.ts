import { execFileSync, spawnSync } from 'node:child_process';
import { createReadStream, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { applyLayer } from '@lamella/image';
import type { ScratchDirectory } from '@lamella-test/scratch';
import { medians } from './measure.js';
import type { Row } from './row.js';

/** Where archives are kept from one run to the next. */
const CACHE = path.join(import.meta.dirname, '../../../.lamella/bench');

/** A layer of real software, and one of many small files, unpacked on tmpfs, against GNU tar. */
export async function unpackALayer(at: ScratchDirectory, { smoke, rounds }: { readonly smoke: boolean; readonly rounds: number }): Promise<Row[]> {
  const software = realSoftware(smoke ? 5e6 : 400e6);
  const small = manySmallFiles(smoke ? 1000 : 40_000);
  const rows: Row[] = [];
  const size = (file: string): string => `${(statSync(file).size / 1e6).toFixed(0)} MB`;
  const measure = async (archive: string, flags: string, what: string, atMost: number): Promise<void> => {
    const target = at.join('target');
    const fresh = (): void => {
      rmSync(target, { recursive: true, force: true });
      mkdirSync(target);
    };
    const times = await medians(
      {
        ours: () => applyLayer(createReadStream(archive, { highWaterMark: 256 * 1024 }), target),
        tar: () => execFileSync('tar', [flags, archive, '-C', target]),
      },
      { rounds, before: fresh },
    );
    rows.push({ what, ours: times.ours, against: `\`tar ${flags}\``, theirs: times.tar, target: { atMost }, unit: 'ms' });
    rmSync(target, { recursive: true, force: true });
  };
  await measure(software, '-xpzf', `Unpack ${size(software)} of gzip, tmpfs`, 0.7);
  await measure(small, '-xpf', `Unpack ${smoke ? '1,000' : '40,000'} small files, tmpfs`, 1.3);
  rows.push({
    what: `Peak RSS of Node, unpacking ${size(software)} of gzip`,
    ours: peakMemory(software, at.join('memory')),
    against: 'the promise',
    theirs: 150,
    target: { atMost: 1 },
    unit: 'MB',
  });
  return rows;
}

/** A gzip of this machine's own programs and libraries, of so many bytes before compression. */
function realSoftware(bytes: number): string {
  return cached(`software-${bytes / 1e6}.tar.gz`, (file) => {
    const chosen: string[] = [];
    let sum = 0;
    for (const directory of ['/usr/bin', '/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/lib', '/usr/share'])
      for (const entry of existsSync(directory) ? readdirSync(directory, { withFileTypes: true }) : []) {
        if (!entry.isFile() || sum > bytes) continue;
        const name = path.join(directory, entry.name);
        sum += statSync(name).size;
        chosen.push(name);
      }
    // Documentation and the like: what an image has beside its large files.
    if (sum < bytes || bytes > 1e8) chosen.push(...['/usr/share/doc', '/usr/share/zoneinfo', '/usr/share/perl', '/usr/include'].filter(existsSync));
    const list = `${file}.list`;
    writeFileSync(list, chosen.join('\n'));
    execFileSync('tar', ['-czf', file, '--absolute-names', '--transform', 's,^/,,', '--files-from', list]);
    rmSync(list);
  });
}

function manySmallFiles(count: number): string {
  return cached(`small-${count}.tar`, (file) => {
    const tree = `${file}.tree`;
    for (let i = 0; i < count; i++) {
      const directory = path.join(tree, `package-${i % 200}`, `part-${i % 7}`);
      mkdirSync(directory, { recursive: true });
      writeFileSync(path.join(directory, `file-${i}.js`), `${i}\n`.repeat(1 + ((i * 7919) % 700)).slice(0, 4095));
    }
    execFileSync('tar', ['-cf', file, '-C', tree, '.']);
    rmSync(tree, { recursive: true });
  });
}

function cached(name: string, make: (file: string) => void): string {
  const file = path.join(CACHE, name);
  if (existsSync(file)) return file;
  mkdirSync(CACHE, { recursive: true });
  const partial = `${file}.partial`;
  make(partial);
  renameSync(partial, file);
  return file;
}

/** In a separate process: VmHWM is the maximum of its whole life. */
function peakMemory(archive: string, target: string): number {
  mkdirSync(target);
  const script = `import { createReadStream, readFileSync } from 'node:fs'; import { applyLayer } from '@lamella/image';
    await applyLayer(createReadStream(${JSON.stringify(archive)}, { highWaterMark: 262144 }), ${JSON.stringify(target)});
    process.stdout.write(readFileSync('/proc/self/status', 'utf8').match(/VmHWM:\\s+(\\d+)/)[1]);`;
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { cwd: import.meta.dirname, encoding: 'utf8' });
  rmSync(target, { recursive: true, force: true });
  if (status !== 0) throw new Error(stderr);
  return (Number(stdout) * 1024) / 1e6;
}
