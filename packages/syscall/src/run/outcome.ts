import { errnoName } from '../errors/errno.js';
import type { LamellaError } from '../errors/lamella-error.js';
import { ProgramError } from '../errors/program-error.js';
import { interpreterPath } from '../host/interpreter-path.js';
import type { ProgramIndex } from '../model/program-index.js';
import type { RunResult } from '../model/run-result.js';
import type { Op } from '../ops/op.js';
import { SyscallError } from '../ops/syscall-error.js';
import type { InterpreterEnd } from '../spawner/interpreter-process.js';
import type { Reply } from '../wire/replies.js';

/** Collects the replies of a program into its result. */
export class Outcome {
  readonly #index: ProgramIndex;
  readonly #values = new Map<number, number>();
  readonly #ignored: { op: Op; index: number; code: string }[] = [];
  readonly #failures: Extract<Reply, { kind: 'failed' }>[] = [];
  #exited: { status: number; signal: number } | undefined;

  constructor(index: ProgramIndex) {
    this.#index = index;
  }

  /** @returns the op of an `ignored` reply, if it is known */
  take(reply: Reply): Op | undefined {
    switch (reply.kind) {
      case 'ok':
        this.#values.set(reply.index, reply.value);
        break;
      case 'failed':
        this.#failures.push(reply);
        break;
      case 'ignored': {
        const op = this.#index.op(reply.index);
        if (op) this.#ignored.push({ op, index: reply.index, code: errnoName(reply.errno) });
        return op;
      }
      case 'exited':
        this.#exited = { status: reply.status, signal: reply.signal };
        break;
    }
    return undefined;
  }

  /**
   * @throws SyscallError if a required op failed; ProgramError `INIT_DIED` if the interpreter was killed, `INIT_REFUSED`,
   * `INIT_FAILED`
   */
  result({ status, signal }: InterpreterEnd): RunResult {
    const fatal = this.#failures.find((failure) => failure.malformed || !this.#index.isRelease(failure.index));
    if (fatal) throw this.#toError(fatal);
    if (signal)
      throw new ProgramError({
        code: 'INIT_DIED',
        message: `the monitor was killed by ${signal}`,
        hint: 'The next command releases its resources. To release them now: lamella sweep',
      });
    if (status !== 0 && !this.#exited && !this.#failures.length) throw silent();
    const releaseFailures = this.#failures.map((failure) => this.#toError(failure) as SyscallError);
    return { ...(this.#exited ? { exited: this.#exited } : {}), values: this.#values, ignored: this.#ignored, releaseFailures };
  }

  #toError(failure: Extract<Reply, { kind: 'failed' }>): LamellaError {
    const explained = failure.malformed ? undefined : this.#index.explain?.(failure.index, failure.errno);
    if (explained) return explained;
    const op = failure.malformed ? undefined : this.#index.op(failure.index);
    if (op) return new SyscallError(op, failure.index, failure.errno, this.#index.serverOf?.(failure.index));
    const code = errnoName(failure.errno);
    return new ProgramError({
      code: 'INIT_REFUSED',
      message: `lamella-init refused the program at op ${failure.index === 0xffffffff ? '0' : failure.index}: ${code}`,
      hint:
        code === 'EACCES' || code === 'EPERM'
          ? 'It runs from a sealed memfd; sysctl vm.memfd_noexec=2 or a security module forbids that here.'
          : 'This is a defect of the program, or lamella-init is of another version than @lamella/syscall.',
    });
  }
}

/** Returns the error for a program that is not lamella-init, or that ended without a reply. */
export function silent(): LamellaError {
  return new ProgramError({
    code: 'INIT_FAILED',
    message: `${interpreterPath()} ended without a reply`,
    hint: 'It must be lamella-init of the same version as @lamella/syscall. To use the bundled one: unset LAMELLA_INIT',
  });
}
