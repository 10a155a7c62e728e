#!/usr/bin/env node
/**
 * What others made is read by the functions of packages/syscall/src/files only: without links that lead astray, without
 * waiting, regular files alone, within a bound (docs/internals/untrusted-files.md). Node's own functions that open a file for
 * reading may be used in the files below, each with the reason why nobody else can put something there.
 */
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';

const root = path.join(import.meta.dirname, '..');

/** Files of procfs, sysfs, cgroupfs or resctrl: the kernel's, short, and never waited for. */
const KERNEL = 'files of the kernel';
/** In the store or a state directory, where no container and no other user can write. */
const OWN = 'files of the store, which only Lamella writes';

const READERS = {
  'apps/cli/src/output/output-file.ts': 'it opens a file without a name, to write it',
  'apps/cli/src/terminal/job-signals.ts': KERNEL,
  'packages/cgroup/src/cgroup.ts': KERNEL,
  'packages/cgroup/src/freeze.ts': KERNEL,
  'packages/cgroup/src/hierarchies.ts': KERNEL,
  'packages/cgroup/src/read-kernel-file.ts': KERNEL,
  'packages/cgroup/src/systemd-scope.ts': KERNEL,
  'packages/cleanup/src/sweep.ts': `${KERNEL}, and ${OWN}`,
  'packages/engine/src/changes/apply/program/journal.ts': OWN,
  'packages/engine/src/changes/apply/conflicts/seen-directories.ts': OWN,
  'packages/engine/src/checkpoints/checkpoint-paused.ts': KERNEL,
  'packages/engine/src/checkpoints/states.ts': OWN,
  'packages/engine/src/isolation/confinement.ts': KERNEL,
  'packages/engine/src/store/events.ts': OWN,
  'packages/engine/src/lifecycle/logs.ts': OWN,
  'packages/engine/src/lifecycle/processes.ts': KERNEL,
  'packages/engine/src/lifecycle/usage.ts': KERNEL,
  'packages/engine/src/doctor/check-namespaces.ts': KERNEL,
  'packages/engine/src/store/read-store-file.ts': OWN,
  'packages/engine/src/store/identifiers.ts': KERNEL,
  'packages/engine/src/filesystem/sources/record-sources.ts': OWN,
  'packages/image/src/registry/push.ts': OWN,
  'packages/image/src/transfer/save-images.ts': OWN,
  'packages/image/src/source/open-source.ts': 'a pipe that this process was given open',
  'packages/image/src/transfer/add-image.ts': OWN,
  'packages/image/src/store/durable-file.ts': OWN,
  'packages/image/src/transfer/import-archive.ts': `${OWN}, and a pipe that this process was given open`,
  'packages/image/src/stack/open-image.ts': OWN,
  'packages/image/src/check/check-image.ts': OWN,
  'packages/image/src/store/stored-file.ts': OWN,
  'packages/namespace/src/stdio/input.ts': 'a file that a program names for its own input, or a descriptor that it gives',
  'packages/oci-runtime/src/entry/main.ts': 'its own package.json',
  'packages/oci-runtime/src/config/check-config.ts': KERNEL,
  'packages/oci-runtime/src/host/initial-root.ts': KERNEL,
  'packages/oci-runtime/src/resources/intel-rdt.ts': KERNEL,
  'packages/oci-runtime/src/network/move-devices.ts': KERNEL,
  'packages/oci-runtime/src/operations/exec.ts': KERNEL,
  'packages/oci-runtime/src/operations/start.ts': 'the fifo of its state directory',
  'packages/oci-runtime/src/process/identity.ts': KERNEL,
  'packages/oci-runtime/src/state/stored-container.ts': KERNEL,
  'packages/overlay/src/contract.ts': 'what the test itself wrote',
  'packages/overlay/src/mount-overlay.ts': KERNEL,
  'packages/syscall/src/host/boot-id.ts': KERNEL,
  'packages/syscall/src/files/held-file.ts': 'the one way itself',
  'packages/syscall/src/files/open-regular.ts': 'the one way itself',
  'packages/syscall/src/files/read-lines.ts': 'the one way itself',
  'packages/syscall/src/files/read-regular.ts': 'the one way itself',
  'packages/syscall/src/run/front.ts': 'a descriptor that the front gives',
  'packages/syscall/src/host/interpreter-path.ts': 'its own sources',
  'packages/syscall/src/run/monitor-client.ts': 'a directory of the store, by O_PATH',
  'packages/syscall/src/host/keep-bytes.ts': `${KERNEL}; and it wraps the functions themselves`,
  'packages/syscall/src/replay/observed-reads.ts': `${KERNEL}; and it wraps the functions themselves`,
  'packages/syscall/src/host/mounts.ts': KERNEL,
  'packages/syscall/src/host/restore-arguments.ts': KERNEL,
  'packages/syscall/src/spawner/caller-identity.ts': KERNEL,
  'packages/syscall/src/spawner/sealed-copy.ts': KERNEL,
  'packages/syscall/src/spawner/spawner.ts': KERNEL,
  'packages/vitest/src/service.ts': KERNEL,
  'apps/cli/src/web/review-server.ts': 'the files of its page',
};

/** What opens a file for reading, or reads from a descriptor. `promises` and the whole module could do that, too. */
const OPENERS = new Set([
  'readFile',
  'readFileSync',
  'createReadStream',
  'open',
  'openSync',
  'openAsBlob',
  'read',
  'readSync',
  'readv',
  'readvSync',
  'promises',
  'default',
]);
/**
 * What keepBytes (packages/syscall/src/host/keep-bytes.ts) leaves as it is in Node, though it takes or returns paths: names that are not UTF-8
 * would be other names. `readdir` and its like are kept, but not with `recursive`.
 */
export const UNKEPT = new Set([
  'cp',
  'cpSync',
  'glob',
  'globSync',
  'lchmod',
  'lchmodSync',
  'mkdtempDisposable',
  'mkdtempDisposableSync',
  'openAsBlob',
  'opendir',
  'unwatchFile',
  'watchFile',
  'Dir',
  'FileReadStream',
  'FileWriteStream',
  'ReadStream',
  'Utf8Stream',
  'WriteStream',
]);
/** In node:fs/promises this one, too. */
const UNKEPT_PROMISES = new Set(['watch']);
/** Without `Sync` these only, and those on descriptors: functions with callbacks are not kept. */
const KEPT_CALLBACKS = new Set([
  'close',
  'read',
  'readv',
  'write',
  'writev',
  'constants',
  'createReadStream',
  'createWriteStream',
  'watch',
  'default',
  'promises',
  'Stats',
  'Dirent',
]);
const RECURSIVE = /\breaddir(?:Sync)?\((?:[^(){};]|\([^()]*\))*\{[^}]*\brecursive\b/;
const IMPORT = /import\s+(?:type\s+)?(?:([\w$]+)\s*,?\s*)?(?:\*\s+as\s+([\w$]+)|\{([^}]*)\})?\s*from\s*'(?:node:)?fs(?:\/promises)?'/g;
const OTHERWISE = /(?:\bimport\s*\(|\brequire\s*\(|\bgetBuiltinModule\s*\()\s*['"](?:node:)?fs(?:\/promises)?['"]/;

/** Returns what of node:fs a source could open a file with. */
function openersIn(text) {
  const found = [];
  for (const [statement, byDefault, whole, named] of text.matchAll(IMPORT)) {
    if (/^import\s+type\b/.test(statement)) continue;
    if (byDefault || whole) found.push(byDefault ?? whole);
    for (const each of (named ?? '').split(',')) {
      const [, type, name] = /^\s*(type\s+)?([\w$]+)/.exec(each) ?? [];
      if (name && !type && OPENERS.has(name)) found.push(name);
    }
  }
  if (OTHERWISE.test(text)) found.push('the module');
  return found;
}

/** Returns what of node:fs a source uses that makes other names of those that are not UTF-8. */
export function unkeptIn(text) {
  const found = RECURSIVE.test(text) ? ['readdir with recursive'] : [];
  for (const [statement, , , named] of text.matchAll(IMPORT)) {
    if (/^import\s+type\b/.test(statement)) continue;
    const promises = /fs\/promises'$/.test(statement);
    for (const each of (named ?? '').split(',')) {
      const [, type, name] = /^\s*(type\s+)?([\w$]+)/.exec(each) ?? [];
      if (!name || type) continue;
      const withCallback = !promises && !name.endsWith('Sync') && !KEPT_CALLBACKS.has(name);
      if (UNKEPT.has(name) || withCallback || (promises && UNKEPT_PROMISES.has(name))) found.push(name);
    }
  }
  return found;
}

/** Returns what is wrong among sources, by file. */
function problemsOf(sources) {
  const problems = [];
  const using = new Set();
  for (const [file, text] of sources) {
    const unkept = unkeptIn(text);
    if (unkept.length)
      problems.push(
        `${file} uses ${unkept.join(', ')} of node:fs, where names that are not UTF-8 are lost. Use readdirSync, opendirSync or others that keepBytes wraps.`,
      );
    const openers = openersIn(text);
    if (!openers.length) continue;
    using.add(file);
    if (!(file in READERS))
      problems.push(
        `${file} imports ${openers.join(', ')} of node:fs. Read by readRegular, readNamed, readLines or streamRegular of @lamella/syscall, or name the file and the reason in scripts/check-file-readers.mjs.`,
      );
  }
  for (const file of Object.keys(READERS)) if (!using.has(file)) problems.push(`scripts/check-file-readers.mjs names ${file}, which opens no file.`);
  return problems;
}

if (process.argv[1] === import.meta.filename) {
  const files = globSync(['packages/*/src/**/*.ts', 'apps/*/src/**/*.ts'], { cwd: root }).filter((file) => !file.includes('.test.'));
  const problems = problemsOf(files.map((file) => [file, readFileSync(path.join(root, file), 'utf8')]));
  for (const problem of problems) console.error(problem);
  if (problems.length) process.exit(1);
}
