import type { Out } from './out.js';
import type { Shown } from './printable.js';

/** How many lines are written at once. */
const LINES = 256;

/** Many lines to one of our descriptors, some at once. What waits is written when it is disposed. */
export class LinesOut implements Disposable {
  readonly #out: Out;
  #waiting: Shown[] = [];

  constructor(out: Out) {
    this.#out = out;
  }

  /** @throws OutputError */
  line(value: Shown): void {
    if (this.#waiting.push(value) >= LINES) this.#flush();
  }

  #flush(): void {
    const lines = this.#waiting;
    this.#waiting = [];
    this.#out.lines(lines);
  }

  /** @throws OutputError */
  [Symbol.dispose](): void {
    this.#flush();
  }
}
