import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import path from 'node:path';
import { LamellaError } from './lamella-error.js';

let found: string | undefined;

/**
 * Absolute path of `lamella-init`: `$LAMELLA_INIT`, else the platform package
 * (`@lamella/init-linux-x64`, `-arm64`), else a build of the shipped source, made once per version
 * in the user's cache directory.
 *
 * @throws LamellaError `INIT_MISSING` when there is neither a binary nor a C compiler.
 */
export function interpreterPath(): string {
  found ??= process.env.LAMELLA_INIT || fromPlatformPackage() || fromSource();
  return found;
}

/** The manifest of this package, also when this file was bundled into an application's. */
function ownManifest(): string {
  return createRequire(import.meta.url).resolve('@lamella/syscall/package.json');
}

function fromPlatformPackage(): string | undefined {
  try {
    const manifest = createRequire(ownManifest()).resolve(`@lamella/init-linux-${process.arch}/package.json`);
    const binary = path.join(path.dirname(manifest), 'lamella-init');
    return existsSync(binary) ? binary : undefined;
  } catch (error) {
    if ((error as { code?: string }).code === 'MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}

function fromSource(): string {
  const native = path.join(path.dirname(ownManifest()), 'native');
  const build = path.join(native, 'build.mjs');
  const hint = `Install the platform package (npm install @lamella/init-linux-${process.arch}), or a C compiler (apt-get install gcc libc6-dev) and try again, or name a binary in LAMELLA_INIT.`;
  if (!existsSync(build)) throw new LamellaError({ code: 'INIT_MISSING', message: `there is no lamella-init for linux-${process.arch}`, hint });
  // Rarely needed, and slow to load.
  const hash = process.getBuiltinModule('node:crypto').createHash('sha256');
  for (const file of readdirSync(native)
    .filter((name) => /\.[ch]$|\.mjs$/.test(name))
    .sort())
    hash.update(readFileSync(path.join(native, file)));
  const cache = path.join(process.env.XDG_CACHE_HOME || path.join(homedir(), '.cache'), 'lamella');
  const binary = path.join(cache, `lamella-init-${hash.digest('hex').slice(0, 16)}`);
  if (existsSync(binary)) return binary;
  mkdirSync(cache, { recursive: true });
  const { status, stderr } = spawnSync(process.execPath, [build, binary], { encoding: 'utf8' });
  if (status !== 0)
    throw new LamellaError({
      code: 'INIT_MISSING',
      message: `there is no lamella-init for linux-${process.arch}, and building it from source failed:\n${stderr.trim()}`,
      hint,
    });
  return binary;
}
