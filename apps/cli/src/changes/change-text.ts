import type { ContainerChange } from '@lamella/engine';

/** Returns the text of a file, or the target of a link; empty for a missing object; undefined for binary content and other types. */
export function textContent(object: ContainerChange['after'], content: Buffer | undefined): string | undefined {
  if (!object) return '';
  if (object.type === 'symlink') return object.target ?? '';
  return object.type === 'file' && content && !content.includes(0) ? content.toString('utf8') : undefined;
}
