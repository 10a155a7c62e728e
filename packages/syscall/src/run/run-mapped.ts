import { idMapping, ownUserNamespace } from '../host/id-mapping.js';
import type { RunOptions } from '../model/run-options.js';
import type { RunResult } from '../model/run-result.js';
import type { Program } from '../ops/op.js';
import { run } from './run.js';

/**
 * Run a program as the owner of whatever containers of this user leave: as root it is root, with
 * mapped ids it is root of them, else it is the user itself.
 */
export function runMapped(program: Program, options: RunOptions = {}): Promise<RunResult> {
  return idMapping().kind === 'full' ? run([ownUserNamespace(), ...program], options) : run(program, options);
}
