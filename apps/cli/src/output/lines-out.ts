import type { Out } from './out.js';
import type { Shown } from './printable.js';

/** Number of lines per write. */
const LINES = 256;

/** Writes many lines in batches. Disposing writes the last batch. */
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
