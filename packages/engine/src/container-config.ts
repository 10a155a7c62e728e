import path from 'node:path';
import type { User } from '@lamella/namespace';
import { isSealedText, sealText } from '@lamella/syscall';
import { readView } from './kept-view.js';
import { readOwn } from './own-file.js';
import type { Lowers } from './plan.js';
import type { RunSpec } from './run-spec.js';
import type { Source } from './sources/source.js';
import type { OwnIds } from './userns.js';

/**
 * All that a container is, as `config.json` in its directory has it. It is written when the container is made. Only the view of the host
 * (`lamella try`) changes later, with the mounts of the machine.
 */
export interface ContainerConfig {
  readonly version: 1;
  readonly id: string;
  /** ISO 8601. */
  readonly created: string;
  /** Of a fork: when the first of its line was made. */
  readonly since?: string;
  /** As it was asked for. */
  readonly image: string;
  readonly spec: RunSpec;
  readonly lowers: Lowers;
  /** What runs, with which environment and as whom: the spec's and the image's words together. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly user: User;
  /** Of the host, in a user namespace of its own. */
  readonly ids?: OwnIds;
  /** What it was given of the host, by the paths in its spec. */
  readonly sources?: Readonly<Record<string, Source>>;
}

/** The config of a new container. */
export function configOf(parts: Pick<ContainerConfig, 'id' | 'spec' | 'lowers' | 'args' | 'env' | 'user' | 'ids' | 'sources'>): ContainerConfig {
  return { version: 1, created: new Date().toISOString(), image: parts.spec.image, ...parts };
}

/** The text of `config.json`. Its last member tells whether it is what was written ({@link configProblem}). */
export function formatConfig(config: ContainerConfig): string {
  return `${sealText(JSON.stringify(config))}\n`;
}

/** What is wrong with the config in a container's directory; undefined when nothing is. */
export function configProblem(directory: string): string | undefined {
  const text = readOwn(path.join(directory, 'config.json'));
  if (text === undefined) return 'it is missing';
  if (!parse(text)) return 'it is damaged: it is no config of a container';
  // An earlier version wrote no seal.
  return isSealedText(text) === false ? 'it is damaged: it is not what was written' : undefined;
}

/** What a kept container stands on, for whoever removes images: the digest of its own, and its layers, one in a line. */
export function layersOf({ lowers }: ContainerConfig): string {
  return [lowers.digest ?? '', ...lowers.diffIDs].map((each) => `${each}\n`).join('');
}

/**
 * The config in a container's directory. A torn one, or none, is that of a container that was not
 * made to its end; nobody else writes there.
 */
export async function readConfig(directory: string): Promise<ContainerConfig | undefined> {
  return parse(readOwn(path.join(directory, 'config.json')));
}

function parse(text: string | undefined): ContainerConfig | undefined {
  if (text === undefined) return undefined;
  try {
    const { sum: _, ...config } = JSON.parse(text) as ContainerConfig & { readonly sum?: string };
    if (config.version !== 1) return undefined;
    const { host } = config.spec;
    return host ? { ...config, spec: { ...config.spec, host: readView(host) } } : config;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
