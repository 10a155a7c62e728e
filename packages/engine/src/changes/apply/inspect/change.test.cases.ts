import type { Walked } from '@lamella/syscall';
import type { CheckedMount } from '../../../model/writable-mount.js';
import type { ContainerChange } from '../../changes.js';

type Kind = 'file' | 'directory';
const MODES: Readonly<Record<Kind, number>> = { file: 0o100644, directory: 0o040755 };
const VIEW: CheckedMount = {
  destination: '/p',
  upperdir: '/upper',
  workdir: '/work',
  frozen: [],
  lowerdirs: ['/host'],
  files: false,
  source: '/host',
  expected: {},
  given: undefined,
};

let inodes = 100;

/** An object as a walk reports it. */
export function walked(name: string, kind: Kind, more: Partial<Walked> = {}): Walked {
  const times = { mtimeSeconds: 1, mtimeNanoseconds: 0, ctimeSeconds: 1, ctimeNanoseconds: 0, btimeSeconds: 1, btimeNanoseconds: 0 };
  const rest = { target: '', uid: 0, gid: 0, links: kind === 'file' ? 1 : 2, size: 1, blocks: 8, major: 0, minor: 0, xattrs: [] };
  return { name, mode: MODES[kind], inode: `1:${inodes++}`, ...times, ...rest, ...more };
}

/**
 * A change of one name, as the comparison of an upper with the host yields it.
 *
 * @param more of the object in the upper
 * @param host of the object of the host
 */
export function change(
  name: string,
  before: Kind | undefined,
  after: Kind | undefined,
  more: Partial<Walked> = {},
  host: Partial<Walked> = {},
): ContainerChange {
  const state = (kind: Kind | undefined) => (kind === undefined ? undefined : { type: kind, mode: MODES[kind] & 0o7777, uid: 0, gid: 0, size: 1 });
  return {
    kind: before === undefined ? 'added' : after === undefined ? 'deleted' : 'modified',
    path: `/p/${name}`,
    name,
    aspects: before !== undefined && after !== undefined ? [before === after ? 'content' : 'type'] : [],
    before: state(before),
    after: state(after),
    compared: { lower: before && walked(name, before, host), upper: after && walked(name, after, more) },
    view: VIEW,
  } as unknown as ContainerChange;
}
