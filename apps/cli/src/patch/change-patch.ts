import type { ContainerChange, Contents } from '@lamella/engine';
import { bytesOf, isOverlayMark } from '@lamella/syscall';
import { filePatch, type GitObject } from './file-patch.js';

type ObjectState = NonNullable<ContainerChange['after']>;

/** Maximum bytes of a file in a patch. Larger files are omitted with a note. */
export const PATCH_LIMIT: number = 64 << 20;

/** The patch of a change, and what it cannot express. */
export interface Patched {
  /** The bytes of the patch as latin1; empty if a patch can express nothing of the change. */
  readonly text: string;
  /** The omitted parts of the change. */
  readonly omitted: readonly string[];
}

/**
 * Returns a change as `git diff` writes it, for git-apply(1) and patch(1).
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
        // git keeps only the owner's execute bit of a mode.
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

/** Returns the bytes of a path inside the container as latin1, without the first slash. */
export function pathBytes({ view, name }: Pick<ContainerChange, 'view' | 'name'>): string {
  const top = view.destination === '/' ? '' : `${bytesOf(view.destination.slice(1)).toString('latin1')}/`;
  return name ? `${top}${name}` : top.slice(0, -1);
}

/** Returns the changed attributes that a patch cannot express. */
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

/** The SELinux label, which the policy of the host sets on every file. */
const LABEL = 'security.selinux';

/** Whether git's modes express the mode of an object exactly. */
function isWhole({ type, mode }: ObjectState): boolean {
  return type === 'directory' ? mode === 0o755 : mode === 0o644 || mode === 0o755;
}
