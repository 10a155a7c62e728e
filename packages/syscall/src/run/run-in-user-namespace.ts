import { idMapping, ownUserNamespace } from '../host/id-mapping.js';
import type { RunOptions } from '../model/run-options.js';
import type { RunResult } from '../model/run-result.js';
import type { Program } from '../ops/op.js';
import { run } from './run.js';

/**
 * Runs a program as the owner of the files that this user's containers make. With ids of /etc/subuid that is the root of a user
 * namespace with those ids; otherwise it is the caller.
 *
 * @throws as {@link run}
 */
export function runInUserNamespace(program: Program, options: RunOptions = {}): Promise<RunResult> {
  return idMapping().kind === 'full' ? run([ownUserNamespace(), ...program], options) : run(program, options);
}
