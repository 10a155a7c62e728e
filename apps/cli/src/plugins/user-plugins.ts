import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { FILE_BOUNDS, type LamellaError, readOptionalText } from '@lamella/syscall';
import { CliError } from '../errors/cli-error.js';
import { npm } from './npm.js';

/** An installed plugin, as oclif reads it from `oclif.plugins` of the package.json in its data directory. */
export interface UserPlugin {
  readonly name: string;
  /** Whether npm installed it, or it is a linked directory. */
  readonly type: 'user' | 'link';
  /** The requested version or tag. */
  readonly tag?: string;
  /** The source if it is not the registry: a file, a URL, a git repository. */
  readonly url?: string;
  /** The directory of a linked plugin. */
  readonly root?: string;
}

interface Manifest {
  readonly name?: string;
  readonly version?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly oclif?: { readonly plugins?: readonly (UserPlugin | string)[]; readonly commands?: unknown; readonly hooks?: unknown };
}

/** The plugins of this user: those that npm installed, and linked directories. */
export class UserPlugins {
  readonly #directory: string;

  /** @param directory oclif's data directory */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Returns the plugins with the versions of their package.json. */
  list(): (UserPlugin & { readonly version: string })[] {
    return this.#listed().map((plugin) => ({ ...plugin, version: readManifest(this.#rootOf(plugin))?.version ?? 'missing' }));
  }

  /**
   * Installs a plugin: `NAME`, `NAME@VERSION`, or any other argument of `npm install`.
   *
   * @returns its name
   * @throws CliError `NPM_MISSING`, `NPM_FAILED`, `PLUGIN_INVALID`
   */
  async install(spec: string): Promise<string> {
    const own = this.#own();
    // npm needs a package.json. oclif and `hasPlugins` take its existence for plugins.
    if (!existsSync(path.join(this.#directory, 'package.json'))) this.#write(own);
    try {
      return await this.#installed(placed(spec), own);
    } catch (error) {
      if (!this.#listed().length) rmSync(path.join(this.#directory, 'package.json'), { force: true });
      throw error;
    }
  }

  async #installed(spec: string, own: Manifest): Promise<string> {
    const registry = /^(?<name>(?:@[^/@:]+\/)?[^/@:]+)(?:@(?<tag>[^/:]+))?$/.exec(spec)?.groups;
    await npm(['install', '--omit=dev', '--save', spec], this.#directory);
    const name = registry?.name ?? this.#added(own, spec);
    if (!isPlugin(readManifest(path.join(this.#directory, 'node_modules', name)))) {
      await npm(['uninstall', name], this.#directory);
      throw notAPlugin(name);
    }
    this.#add(registry ? { name, type: 'user', tag: registry.tag ?? 'latest' } : { name, type: 'user', url: spec });
    return name;
  }

  /** Links a directory as a plugin. Its dependencies are not installed. @throws CliError `PLUGIN_INVALID` */
  link(directory: string): string {
    const root = path.resolve(directory);
    const manifest = readManifest(root);
    if (!isPlugin(manifest) || !manifest?.name) throw notAPlugin(root);
    this.#add({ name: manifest.name, type: 'link', root });
    return manifest.name;
  }

  /** Removes a plugin. @throws CliError `PLUGIN_UNKNOWN`, `NPM_MISSING`, `NPM_FAILED` */
  async uninstall(name: string): Promise<void> {
    const plugin = this.#listed().find((each) => each.name === name);
    if (!plugin) throw new CliError({ code: 'PLUGIN_UNKNOWN', message: `no such plugin: ${name}`, hint: 'List the plugins: lamella plugins' });
    if (plugin.type === 'user') await npm(['uninstall', name], this.#directory);
    const own = this.#own();
    const plugins = this.#listed().filter((each) => each.name !== name);
    if (plugins.length) this.#write({ ...own, oclif: { ...own.oclif, plugins } });
    else rmSync(path.join(this.#directory, 'package.json'), { force: true });
  }

  /** Updates the plugins that npm installed, to their requested versions. @throws CliError `NPM_MISSING`, `NPM_FAILED` */
  async update(): Promise<void> {
    const specs = this.#listed().flatMap(({ name, type, tag, url }) => (type === 'user' ? [url ?? `${name}@${tag ?? 'latest'}`] : []));
    if (specs.length) await npm(['install', '--omit=dev', '--save', ...specs], this.#directory);
  }

  #listed(): UserPlugin[] {
    return (this.#own().oclif?.plugins ?? []).map((plugin) => (typeof plugin === 'string' ? { name: plugin, type: 'user' } : plugin));
  }

  #rootOf({ name, root }: UserPlugin): string {
    return root ?? path.join(this.#directory, 'node_modules', name);
  }

  /** Returns the dependency that npm has added, or the existing one of the same source. */
  #added(before: Manifest, spec: string): string {
    const known = this.#listed().find(({ url }) => url === spec);
    const [name] = Object.entries(this.#own().dependencies ?? {}).find(([each, version]) => before.dependencies?.[each] !== version) ?? [known?.name];
    if (name === undefined)
      throw new CliError({
        code: 'PLUGIN_INVALID',
        message: `${spec} is already installed, but not as a plugin`,
        hint: `See the dependencies in ${path.join(this.#directory, 'package.json')}.`,
      });
    return name;
  }

  #add(plugin: UserPlugin): void {
    const own = this.#own();
    this.#write({ ...own, oclif: { ...own.oclif, plugins: [...this.#listed().filter(({ name }) => name !== plugin.name), plugin] } });
  }

  #own(): Manifest {
    return readManifest(this.#directory) ?? {};
  }

  #write(manifest: Manifest): void {
    mkdirSync(this.#directory, { recursive: true });
    const file = path.join(this.#directory, 'package.json');
    const partial = `${file}.${process.pid}.partial`;
    writeFileSync(
      partial,
      `${JSON.stringify({ private: true, dependencies: {}, ...manifest, oclif: { schema: 1, plugins: [], ...manifest.oclif } }, null, 2)}\n`,
    );
    renameSync(partial, file);
  }
}

/** Resolves a path against the working directory, because npm runs in another one. */
function placed(spec: string): string {
  const file = /^(?:file:)?(\.{1,2}(?:\/.*)?)$/.exec(spec)?.[1];
  return file === undefined ? spec : path.resolve(file);
}

function readManifest(directory: string): Manifest | undefined {
  const file = path.join(directory, 'package.json');
  const text = readOptionalText(file, FILE_BOUNDS.host);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as Manifest;
  } catch (error) {
    throw new CliError({
      code: 'PLUGIN_INVALID',
      message: `invalid JSON in ${file}: ${(error as Error).message}`,
      hint: 'Repair the file, or remove it.',
      cause: error,
    });
  }
}

function isPlugin(manifest: Manifest | undefined): boolean {
  return manifest?.oclif?.commands !== undefined || manifest?.oclif?.hooks !== undefined;
}

function notAPlugin(what: string): LamellaError {
  return new CliError({
    code: 'PLUGIN_INVALID',
    message: `${what} is not a plugin: its package.json has neither oclif.commands nor oclif.hooks`,
    hint: 'See docs/guides/write-a-plugin.md.',
  });
}
