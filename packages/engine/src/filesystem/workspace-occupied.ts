import { EngineError } from '../model/engine-error.js';

/** Returns the error for an object that is in the way, and may belong to the user. */
export function occupied(place: string): EngineError {
  return new EngineError({
    code: 'WORKSPACE_OCCUPIED',
    message: `${place} is there already`,
    hint: 'Another run uses this workspace, or it is a directory of yours: wait, move it, or take another workspace.',
  });
}
