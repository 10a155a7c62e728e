import path from 'node:path';
import { isSealedText, sealText } from '@lamella/syscall';
import type { ContainerConfig } from '../model/container-config.js';
import { readOwn } from './read-store-file.js';

/** The config of a new container. */
export function configOf(parts: Pick<ContainerConfig, 'id' | 'created' | 'spec' | 'lowers' | 'args' | 'env' | 'user' | 'ids' | 'sources'>): ContainerConfig {
  return { version: 1, image: parts.spec.image, ...parts };
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

/** What a kept container stands on, for commands that remove images: its own digest, and its layers, one in a line. */
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
    return config.version === 1 ? config : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
