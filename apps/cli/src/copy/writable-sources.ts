import type { StoredContainer } from '@lamella/engine';
import type { Writable } from './host-path.js';

/** Returns the directories of the host to which a container can write. */
export function writableSources({ config }: Pick<StoredContainer, 'config'>): Writable {
  return (config.spec.volumes ?? []).filter(({ readonly, overlay }) => !readonly && !overlay).map(({ source }) => config.sources?.[source]?.path ?? source);
}
