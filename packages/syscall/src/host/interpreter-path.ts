import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ProgramError } from '../errors/program-error.js';

let found: string | undefined;

/** The file of this module, also in a CommonJS bundle, where `import.meta` is empty. */
declare const __filename: string | undefined;

/**
 * Returns the absolute path of `lamella-init`. The first of these that exists:
 * 1. `$LAMELLA_INIT`;
 * 2. the binary of the platform package (`@lamella/init-linux-x64`, `-arm64`);
 * 3. a file `lamella-init` beside the bundle that contains this module;
 * 4. a build of the shipped source, made once per version in the cache directory of the user.
 *
 * @throws ProgramError `INIT_MISSING` if there is neither a binary nor a C compiler
 */
export function interpreterPath(): string {
  found ??= process.env.LAMELLA_INIT || find();
  return found;
}

/** Packages that depend on `@lamella/syscall`. In the layout of pnpm a program finds only its own dependencies. */
const DEPENDENTS = ['engine', 'vitest', 'image', 'namespace', 'overlay', 'cleanup', 'seccomp', 'cgroup', 'oci-runtime'];

function find(): string {
  const places = [import.meta.url, typeof __filename === 'string' ? __filename : undefined].filter((each) => each !== undefined);
  const manifest = first(places, ownManifest);
  const binary = (manifest && fromPlatformPackage(manifest)) ?? first(places, besideBundle);
  return binary ?? fromSource(manifest);
}

function first<From, To>(from: readonly From[], to: (from: From) => To | undefined): To | undefined {
  for (const each of from) {
    const made = to(each);
    if (made !== undefined) return made;
  }
  return undefined;
}

/** The manifest of this package, as a file finds it. */
function ownManifest(file: string): string | undefined {
  const own = resolve('@lamella/syscall', file);
  if (own) return own;
  return first(DEPENDENTS, (name) => {
    const dependent = resolve(`@lamella/${name}`, file);
    // @lamella/vitest depends on it through the engine.
    const holder = dependent && name === 'vitest' ? resolve('@lamella/engine', dependent) : dependent;
    return holder && resolve('@lamella/syscall', holder);
  });
}

/** The package.json of a package, as a file finds it. */
function resolve(name: string, from: string): string | undefined {
  try {
    return createRequire(from).resolve(`${name}/package.json`);
  } catch (error) {
    if (['MODULE_NOT_FOUND', 'ERR_INVALID_ARG_VALUE', 'ERR_PACKAGE_PATH_NOT_EXPORTED'].includes((error as { code?: string }).code ?? '')) return undefined;
    throw error;
  }
}

function fromPlatformPackage(own: string): string | undefined {
  const manifest = resolve(`@lamella/init-linux-${process.arch}`, own);
  const binary = manifest && path.join(path.dirname(manifest), 'lamella-init');
  return binary && existsSync(binary) ? binary : undefined;
}

function besideBundle(place: string): string | undefined {
  const file = place.startsWith('file:') ? fileURLToPath(place) : place;
  const binary = path.join(path.dirname(path.resolve(file)), 'lamella-init');
  return existsSync(binary) && statSync(binary).isFile() ? binary : undefined;
}

function fromSource(manifest: string | undefined): string {
  if (!manifest)
    throw new ProgramError({
      code: 'INIT_MISSING',
      message: `no lamella-init for linux-${process.arch}: neither beside this program nor in @lamella/syscall`,
      hint: `A bundle does not contain it. Install @lamella/init-linux-${process.arch} and copy its file lamella-init beside the bundle, set LAMELLA_INIT to its path, or do not bundle @lamella/* (esbuild --external:@lamella/*).`,
    });
  const native = path.join(path.dirname(manifest), 'native');
  const build = path.join(native, 'build.mjs');
  const hint = `Install the platform package (npm install @lamella/init-linux-${process.arch}), or a C compiler (apt-get install gcc libc6-dev) and try again, or set LAMELLA_INIT to a binary.`;
  if (!existsSync(build)) throw new ProgramError({ code: 'INIT_MISSING', message: `no lamella-init for linux-${process.arch}`, hint });
  // Rarely needed, and slow to load.
  const hash = process.getBuiltinModule('node:crypto').createHash('sha256');
  for (const file of sourcesIn(native)) hash.update(readFileSync(file));
  const cache = path.join(process.env.XDG_CACHE_HOME || path.join(homedir(), '.cache'), 'lamella');
  const binary = path.join(cache, `lamella-init-${hash.digest('hex').slice(0, 16)}`);
  if (existsSync(binary)) return binary;
  mkdirSync(cache, { recursive: true });
  const { status, stderr } = spawnSync(process.execPath, [build, binary], { encoding: 'utf8' });
  if (status !== 0)
    throw new ProgramError({
      code: 'INIT_MISSING',
      message: `no lamella-init for linux-${process.arch}, and building it from source failed:\n${stderr.trim()}`,
      hint,
    });
  return binary;
}

/** Returns the sources in a directory and its rooms, in the order of their names. */
function sourcesIn(directory: string): string[] {
  return readdirSync(directory)
    .sort()
    .flatMap((name) => {
      const file = path.join(directory, name);
      if (statSync(file).isDirectory()) return sourcesIn(file);
      return /\.(?:[ch]|def|mjs)$/.test(name) ? [file] : [];
    });
}
