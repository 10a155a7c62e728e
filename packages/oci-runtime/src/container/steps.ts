import { errnoName, flatten, type Op, type Program, type Running, type RunOptions, start } from '@lamella/syscall';
import { OciError } from '../errors/oci-error.js';

/** The replies to the ops of all steps so far. */
export interface StepReplies {
  /** The errno's name of each op that failed and was allowed to. */
  readonly ignored: ReadonlyMap<Op, string>;
  /** The value of each op with `reply`. */
  readonly values: ReadonlyMap<Op, number>;
}

/**
 * A program that runs step by step: its process waits for the next step after each one. Indexes of ops count through
 * all steps.
 */
export class Steps {
  readonly running: Running;
  readonly #ops: Op[];
  readonly #ignored = new Map<Op, string>();
  readonly #values = new Map<Op, number>();
  readonly #waiting = new Map<Op, () => void>();

  constructor(first: Program, options: RunOptions) {
    this.#ops = flatten(first);
    this.running = start(first, {
      ...options,
      onReply: (reply) => {
        if (reply.kind !== 'ok' && reply.kind !== 'ignored') return;
        const op = this.#ops[reply.index];
        if (!op) return;
        if (reply.kind === 'ignored') {
          this.#ignored.set(op, errnoName(reply.errno));
          return;
        }
        this.#values.set(op, reply.value);
        this.#waiting.get(op)?.();
      },
    });
  }

  /** Waits for the value of an op with `reply`. @throws the error of the program */
  async valueOf(op: Op): Promise<number> {
    if (!this.#values.has(op)) {
      const come = new Promise<void>((resolve) => this.#waiting.set(op, resolve));
      // To the monitor an end before the exec looks like a start, because both close the connection.
      const over = this.running.started.then((pid) => (pid === undefined ? new Promise<never>(() => undefined) : ended()));
      await Promise.race([come, this.running.result.then(ended), over]);
    }
    return this.#values.get(op) ?? 0;
  }

  /** The index of the first op of the next step. */
  get nextIndex(): number {
    return this.#ops.length + 1;
  }

  /** Runs a step and waits for its last op with `reply`. */
  async go(program: Program): Promise<StepReplies> {
    this.begin(program);
    const last = program.findLast(({ reply }) => reply === true);
    if (last) await this.valueOf(last);
    return { ignored: this.#ignored, values: this.#values };
  }

  /** Starts a step without waiting. */
  begin(program: Program): void {
    // The order itself takes an index.
    this.#ops.push({ op: 'wait' }, ...flatten(program));
    this.running.control({ op: 'go', program });
  }
}

function ended(): never {
  throw new OciError({
    code: 'CONTAINER_ENDED',
    message: 'the container process was killed while it was created',
    hint: 'Check its memory limit (linux.resources.memory.limit), or create it again.',
  });
}
