import { homedir } from 'node:os';
import path from 'node:path';
import { FileError } from '@lamella/syscall';
import { readOptional } from '../optional-files.js';

/** What the files of Docker and podman call Docker Hub. */
const DOCKER_HUB_KEY = 'https://index.docker.io/v1/';
const DOCKER_HUB_HOSTS = ['docker.io', 'index.docker.io', 'registry-1.docker.io'];

/** The entry of a registry or repository; what else it has stays as it is. */
export type AuthEntry = Readonly<Record<string, unknown>>;

/** A file of credentials that Docker or podman may have written. */
export interface AuthFile {
  readonly file: string;
  readonly auths: Readonly<Record<string, unknown>>;
  readonly credHelpers: Readonly<Record<string, unknown>>;
  readonly credsStore: string | undefined;
}

/** Docker's own file, which `login` writes. */
export function dockerConfig(): string {
  return path.join(process.env.DOCKER_CONFIG || path.join(homedir(), '.docker'), 'config.json');
}

/**
 * Returns where credentials are looked for, in order. `REGISTRY_AUTH_FILE` is the only one where it is set; `DOCKER_CONFIG`
 * comes first where it is; then containers-auth.json(5), then Docker's files.
 */
export function authFiles(): readonly string[] {
  const { REGISTRY_AUTH_FILE, DOCKER_CONFIG, XDG_RUNTIME_DIR, XDG_CONFIG_HOME } = process.env;
  if (REGISTRY_AUTH_FILE) return [REGISTRY_AUTH_FILE];
  const containers = [
    path.join(XDG_RUNTIME_DIR ? path.join(XDG_RUNTIME_DIR, 'containers') : `/run/containers/${process.getuid?.() ?? 0}`, 'auth.json'),
    path.join(XDG_CONFIG_HOME || path.join(homedir(), '.config'), 'containers/auth.json'),
  ];
  return DOCKER_CONFIG ? [dockerConfig(), ...containers] : [...containers, dockerConfig(), path.join(homedir(), '.dockercfg')];
}

/**
 * Reads a file of credentials as Docker does: what is `null` or empty says nothing.
 *
 * @returns undefined when it is not there, or not for us to read
 * @throws Error in plain words when it is something else
 */
export function readAuthFile(file: string): AuthFile | undefined {
  let text: string | undefined;
  try {
    text = readOptional(file);
  } catch (error) {
    if (error instanceof FileError) throw new Error(error.message, { cause: error });
    throw error;
  }
  if (text === undefined) return undefined;
  const whole = parseTable(text, file);
  // Docker's first format is the table of credentials alone.
  const { auths, credHelpers, credsStore } = path.basename(file) === '.dockercfg' ? { auths: whole, credHelpers: {}, credsStore: '' } : whole;
  return {
    file,
    auths: tableOf(auths, 'auths', file),
    credHelpers: tableOf(credHelpers, 'credHelpers', file),
    credsStore: typeof credsStore === 'string' && credsStore ? credsStore : undefined,
  };
}

/** Not in the types yet (ECMAScript, "JSON.parse source text access"). */
const RawJson = JSON as unknown as { rawJSON(text: string): object; isRawJSON(value: unknown): boolean };

/** The table of a JSON text; numbers stay what they are written as, so that the text can be written again. */
export function parseTable(text: string, file: string): Record<string, unknown> {
  const plain = text.replace(/^\uFEFF/, '');
  if (!plain.trim()) return {};
  let json: unknown;
  try {
    json = JSON.parse(plain, (_, value: unknown, context?: { source?: string }) =>
      typeof value === 'number' && context?.source !== undefined ? RawJson.rawJSON(context.source) : value,
    );
  } catch (cause) {
    throw new Error(`${file} is not JSON`, { cause });
  }
  return tableOf(json, 'it', file) as Record<string, unknown>;
}

function tableOf(value: unknown, what: string, file: string): Readonly<Record<string, unknown>> {
  if (value === undefined || value === null) return {};
  if (typeof value === 'object' && !Array.isArray(value) && !RawJson.isRawJSON(value)) return value as Record<string, unknown>;
  throw new Error(`${file}: ${what} is not a table`);
}

/** A key of `auths`, taken apart. */
export interface AuthKey {
  readonly host: string;
  /** Of repositories; empty for all of the registry. */
  readonly path: string;
}

/**
 * Takes a key apart as both readers do: behind a scheme only the host counts (Docker writes `https://HOST/v1/`), else what
 * follows is a namespace or repository (podman).
 */
export function parseAuthKey(key: string): AuthKey {
  const plain = key.replace(/^https?:\/\//i, '');
  const [host = '', ...parts] = plain.split('/');
  const namespace = parts.filter(Boolean).join('/');
  return { host: canonicalHost(host), path: plain !== key || /^v[12]$/.test(namespace) ? '' : namespace };
}

/** Docker Hub has one name. */
export function canonicalHost(host: string): string {
  const lower = host.toLowerCase();
  return DOCKER_HUB_HOSTS.includes(lower) ? 'docker.io' : lower;
}

/** Returns the key that Docker and podman write for a host, or a part of it. */
export function keyFor({ host, path: namespace }: AuthKey): string {
  if (namespace) return `${host}/${namespace}`;
  return host === 'docker.io' ? DOCKER_HUB_KEY : host;
}

/** Returns the keys of a table that are for a repository: the longest first, and of those what `login` writes. */
export function keysFor(auths: Readonly<Record<string, unknown>>, domain: string, repository: string): readonly string[] {
  const host = canonicalHost(domain);
  return Object.keys(auths)
    .map((key) => ({ key, parsed: parseAuthKey(key) }))
    .filter(({ parsed }) => parsed.host === host && (!parsed.path || repository === parsed.path || repository.startsWith(`${parsed.path}/`)))
    .sort((a, b) => b.parsed.path.length - a.parsed.path.length || Number(b.key === keyFor(b.parsed)) - Number(a.key === keyFor(a.parsed)))
    .map(({ key }) => key);
}

/** Helpers are for registries, and for no part of one. */
const isWhole = (key: AuthKey, host: string): boolean => key.host === host && !key.path;

/** Returns the helper that a file has for a registry. */
export function helperFor({ credHelpers, credsStore }: AuthFile, domain: string): string | undefined {
  const host = canonicalHost(domain);
  const own = Object.entries(credHelpers).find(([key, name]) => isWhole(parseAuthKey(key), host) && typeof name === 'string' && name)?.[1];
  return (own as string | undefined) ?? credsStore;
}
