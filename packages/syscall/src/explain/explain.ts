import { AT_FDCWD, type Op, type Program } from '../ops/op.js';
import { flatten } from '../wire/encode.js';
import { type CallText, callsOf } from './calls-of.js';

/** A system call that a program will make. */
export interface Call extends CallText {
  /** The op that makes it, and the index of the op. */
  readonly op: Op;
  readonly index: number;
  /** The process that makes it: this one, the clone, a server, or this one after the clone has ended. */
  readonly process: 'self' | 'child' | 'server' | 'exit';
}

/** The lowest descriptor of a program: 0 to 2 are stdio, and 3 and 4 belong to the interpreter. */
const FIRST_FD = 5;

/**
 * Returns the system calls of a program, in order and in the notation of strace(1), before any is made. Descriptors have the numbers
 * that the kernel will assign if every call succeeds: the lowest free one. The calls of an exit program come last.
 */
export function explain(program: Program): readonly Call[] {
  const indexes = new Map(flatten(program).map((op, index) => [op, index]));
  const calls: Call[] = [];
  let leaving: Program = [];
  const descriptors = new Descriptors();
  const walk = (ops: Program, process: Call['process'], open: Descriptors): void => {
    for (const op of ops) {
      // Every op of the program is in the map.
      const index = indexes.get(op) as number;
      for (const call of callsOf(op, (slot) => open.numberOf(slot))) calls.push({ ...call, op, index, process });
      if (op.op === 'on_exit') leaving = op.program;
      if (op.op === 'clone') {
        const inherited = open.copy();
        // The socket pair between monitor and child; the child closes the first end.
        const monitorEnd = inherited.take();
        inherited.take();
        inherited.free(monitorEnd);
        walk(op.program, 'child', inherited);
      } else if (op.op === 'serve') walk(op.program, 'server', open.copy());
      else if (op.op === 'attempt') walk(op.program, process, open);
      else open.after(op);
    }
  };
  walk(program, 'self', descriptors);
  walk(leaving, 'exit', descriptors);
  return calls;
}

/** Returns the system calls of a program as text, those of a clone indented. */
export function explainText(program: Program): string {
  let last: Call['process'] = 'self';
  const lines: string[] = [];
  const calls = explain(program);
  const attempts = attemptsOf(program, calls);
  for (const call of calls) {
    if (call.process === 'exit' && last !== 'exit') lines.push('/* when it has ended */');
    last = call.process;
    const attempt = attempts.get(call);
    const notes = [
      ...(attempt ? [attempt] : []),
      ...(call.repeats ? [`then ${call.repeats.join(', ')} as needed`] : []),
      ...(call.op.ignore ? [`${call.op.ignore.join(', ')} is no failure`] : []),
    ];
    lines.push(`${call.process === 'child' || call.process === 'server' ? '  ' : ''}${call.text}${notes.length ? `  /* ${notes.join('; ')} */` : ''}`);
  }
  return lines.join('\n');
}

/** Returns the comment for an attempt, at its first call. */
function attemptsOf(program: Program, calls: readonly Call[]): Map<Call, string> {
  return new Map(
    flatten(program).flatMap((op): [Call, string][] => {
      if (op.op !== 'attempt') return [];
      const ops = new Set(flatten(op.program));
      const own = calls.filter((call) => ops.has(call.op));
      const [first] = own;
      return first ? [[first, `in these ${own.length} calls ${(op.ignore ?? []).join(', ')} is no failure, and leaves out the rest of them`]] : [];
    }),
  );
}

/** Assigns numbers to slots by the rule of the kernel. */
class Descriptors {
  readonly #numbers: Map<number, number>;
  readonly #used: Set<number>;

  constructor(numbers: ReadonlyMap<number, number> = new Map(), used: ReadonlySet<number> = new Set()) {
    this.#numbers = new Map(numbers);
    this.#used = new Set(used);
  }

  copy(): Descriptors {
    return new Descriptors(this.#numbers, this.#used);
  }

  take(): number {
    let number = FIRST_FD;
    while (this.#used.has(number)) number++;
    this.#used.add(number);
    return number;
  }

  free(number: number): void {
    this.#used.delete(number);
  }

  numberOf(slot: number): number {
    return slot === AT_FDCWD || slot < 3 ? slot : (this.#numbers.get(slot) ?? slot);
  }

  /** Records what an op opens or closes. */
  after(op: Op): void {
    if ('out' in op) this.#numbers.set(op.out, this.take());
    else if (op.op === 'close') {
      this.free(this.numberOf(op.fd));
      this.#numbers.delete(op.fd);
    } else if (op.op === 'dup3' && op.newfd >= FIRST_FD) this.#used.add(op.newfd);
    else if (op.op === 'close_range' && !(op.flags & 4)) for (const number of this.#used) if (number >= op.first && number <= op.last) this.free(number);
  }
}
