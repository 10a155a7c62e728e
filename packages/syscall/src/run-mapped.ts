import { idMapping, ownUserNamespace } from './id-mapping.js';
import type { Program } from './op.js';
import { type RunOptions, type RunResult, run } from './run.js';

/**
 * Run a program as the owner of whatever containers of this user leave: as root it is root, with
 * mapped ids it is root of them, else it is the user itself.
 */
export function runMapped(program: Program, options: RunOptions = {}): Promise<RunResult> {
  return idMapping().kind === 'full' ? run([ownUserNamespace(), ...program], options) : run(program, options);
}
