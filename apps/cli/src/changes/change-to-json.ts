import type { ContainerChange } from '@lamella/engine';

/** Returns a change as a value for JSON. Modes are octal text, as chmod(1) takes them. */
export function changeToJSON({ kind, path, aspects, before, after, renamed }: ContainerChange): object {
  const state = (object: typeof after): object | undefined => object && { ...object, mode: object.mode.toString(8).padStart(4, '0') };
  return {
    kind,
    path,
    type: (after ?? before)?.type,
    size: (after ?? before)?.size,
    ...(kind === 'modified' ? { aspects } : {}),
    ...(renamed === undefined ? {} : kind === 'deleted' ? { renamedTo: renamed } : { renamedFrom: renamed }),
    ...(before ? { before: state(before) } : {}),
    ...(after ? { after: state(after) } : {}),
  };
}
