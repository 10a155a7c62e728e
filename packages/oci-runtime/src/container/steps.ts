import { errnoName, flatten, LamellaError, type Op, type Program, type Running, type RunOptions, start } from '@lamella/syscall';

/** What the ops of one step said. */
export interface StepReplies {
  /** The errno's name of each that failed and was allowed to. */
  readonly ignored: ReadonlyMap<Op, string>;
  /** The value of each that had `reply`. */
  readonly values: ReadonlyMap<Op, number>;
}

/**
 * A program that is run step by step: its process waits after each for the next one. The index of an op counts all
 * that came before it.
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

  /** The value of an op that has `reply`, when it has come. @throws what the program failed with */
  async valueOf(op: Op): Promise<number> {
    if (!this.#values.has(op)) {
      const come = new Promise<void>((resolve) => this.#waiting.set(op, resolve));
      // Its end before it was executed looks like a start to the monitor, for the conversation is over.
      const over = this.running.started.then((pid) => (pid === undefined ? new Promise<never>(() => undefined) : ended()));
      await Promise.race([come, this.running.result.then(ended), over]);
    }
    return this.#values.get(op) ?? 0;
  }

  /** The index that the first op of the next step will have. */
  get nextIndex(): number {
    return this.#ops.length + 1;
  }

  /** Let it go on with a step, and wait for the last op of that which replies. */
  async go(program: Program): Promise<StepReplies> {
    this.begin(program);
    const last = program.findLast(({ reply }) => reply === true);
    if (last) await this.valueOf(last);
    return { ignored: this.#ignored, values: this.#values };
  }

  /** The same without waiting for anything. */
  begin(program: Program): void {
    // The order has an index of its own.
    this.#ops.push({ op: 'wait' }, ...flatten(program));
    this.running.control({ op: 'go', program });
  }
}

function ended(): never {
  throw new LamellaError({
    code: 'CONTAINER_ENDED',
    message: 'the process of the container was killed while it was being made',
    hint: 'Somebody ended it, or its memory limit is too small to start in.',
  });
}
