import { once } from 'node:events';
import type { Writable } from 'node:stream';

/** Lines to a stream, a few at once, waiting for who reads slowly. */
export class LinesOut implements AsyncDisposable {
  readonly #stream: Writable;
  #waiting: string[] = [];

  constructor(stream: Writable) {
    this.#stream = stream;
  }

  async line(text: string): Promise<void> {
    if (this.#waiting.push(text) >= 256) await this.#flush();
  }

  async #flush(): Promise<void> {
    if (!this.#waiting.length) return;
    const text = `${this.#waiting.join('\n')}\n`;
    this.#waiting = [];
    if (!this.#stream.write(text)) await once(this.#stream, 'drain');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#flush();
  }
}
