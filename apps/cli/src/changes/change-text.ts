import type { ContainerChange } from '@lamella/engine';

/** What an object says in text: nothing where there is none, a link's target, a file without NUL bytes; undefined for all else. */
export function textContent(object: ContainerChange['after'], content: Buffer | undefined): string | undefined {
  if (!object) return '';
  if (object.type === 'symlink') return object.target ?? '';
  return object.type === 'file' && content && !content.includes(0) ? content.toString('utf8') : undefined;
}
