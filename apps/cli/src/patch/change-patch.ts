import type { ContainerChange, Contents } from '@lamella/engine';
import { bytesOf, isOverlayMark } from '@lamella/syscall';
import { filePatch, type GitObject } from './file-patch.js';

type ObjectState = NonNullable<ContainerChange['after']>;

/** Bytes of a file that a patch can have in it; of a larger one there is a note. */
export const PATCH_LIMIT: number = 64 << 20;

/** What of a change goes into a patch, and what cannot. */
export interface Patched {
  /** The bytes of the patch as latin1; empty where there is nothing that a patch can express. */
  readonly text: string;
  /** What is left out. */
  readonly omitted: readonly string[];
}

/**
 * Returns a change as `git diff` writes it, so that git-apply(1) and patch(1) make the same of the same files.
 *
 * @param binary how content with NUL bytes is written, see {@link filePatch}; `omit` leaves it out
 */
export async function patchOf(change: ContainerChange, contents: Contents | undefined, binary: 'patch' | 'line' | 'omit'): Promise<Patched> {
  const omitted: string[] = [];
  const side = (object: ObjectState | undefined, target: string | undefined, content: Buffer | undefined): GitObject | undefined => {
    switch (object?.type) {
      case 'symlink':
        return { mode: '120000', content: Buffer.from(target ?? '', 'latin1') };
      case 'file':
        // Owner's execute bit: that is all of a mode that git keeps.
        return content && { mode: object.mode & 0o100 ? '100755' : '100644', content };
      default:
        return undefined;
    }
  };
  const { before, after, compared } = change;
  const [old, now] = [side(before, compared.lower?.target, contents?.before), side(after, compared.upper?.target, contents?.after)];
  const tooLarge = [before, after].find((object, i) => object?.type === 'file' && !(i ? now : old));
  if (tooLarge) return { text: '', omitted: [`the content: ${tooLarge.size} bytes`] };
  const kind = [before, after].find((object) => object && !['file', 'symlink', 'directory'].includes(object.type))?.type;
  if (kind) omitted.push(`a ${kind === 'character' || kind === 'block' ? `${kind} device` : kind}`);
  omitted.push(...attributes(change));
  if (binary === 'omit' && [old, now].some((object) => object?.content.includes(0))) return { text: '', omitted: [...omitted, 'binary content'] };
  return { text: await filePatch(pathBytes(change), old, now, binary === 'omit' ? 'patch' : binary), omitted };
}

/** The bytes of a path as seen inside, as latin1, without the first slash. */
export function pathBytes({ view, name }: Pick<ContainerChange, 'view' | 'name'>): string {
  const top = view.destination === '/' ? '' : `${bytesOf(view.destination.slice(1)).toString('latin1')}/`;
  return name ? `${top}${name}` : top.slice(0, -1);
}

/** What is new of the attributes of an object, and has no place in a patch. */
function attributes({ aspects, before, after, compared }: ContainerChange): string[] {
  if (!after) return [];
  const octal = (mode: number): string => mode.toString(8).padStart(3, '0');
  const mode = after.type === 'symlink' || isWhole(after) ? [] : [`mode ${octal(after.mode)}`];
  if (!before) return [...mode, ...(compared.upper?.xattrs.some(([name]) => !isOverlayMark(name) && name !== LABEL) ? ['extended attributes'] : [])];
  return [
    ...(before.mode === after.mode || (before.type === after.type && isWhole(before) && isWhole(after)) ? [] : mode),
    ...(aspects.includes('owner') ? [`owner ${after.uid}:${after.gid}`] : []),
    ...(aspects.includes('xattr') ? ['extended attributes'] : []),
    ...(aspects.includes('mtime') ? ['the time'] : []),
  ];
}

/** A label that every file gets from the machine's policy. */
const LABEL = 'security.selinux';

/** Whether git's two modes say all of an object's. */
function isWhole({ type, mode }: ObjectState): boolean {
  return type === 'directory' ? mode === 0o755 : mode === 0o644 || mode === 0o755;
}
