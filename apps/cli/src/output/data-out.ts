import { once } from 'node:events';
import type { Writable } from 'node:stream';

/** Writes bytes unchanged to a descriptor, at the speed of its reader. Disposing waits until all are written. */
export class DataOut implements AsyncDisposable {
  readonly #stream: Writable;
  readonly #lossy: boolean;
  #failure: Error | undefined;

  /** @param lossy whether bytes that cannot be written are dropped */
  constructor(stream: Writable, { lossy = false }: { readonly lossy?: boolean } = {}) {
    this.#stream = stream;
    this.#lossy = lossy;
    stream.on('error', (error) => {
      this.#failure = error;
    });
  }

  /** @throws OutputError if this or an earlier write failed */
  async write(content: string | Buffer): Promise<void> {
    if (this.#isOver()) return;
    if (!this.#stream.write(content)) await this.#settled('drain');
  }

  /** @throws OutputError */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isOver()) return;
    this.#stream.end();
    await this.#settled('finish');
  }

  #isOver(): boolean {
    if (this.#failure && !this.#lossy) throw this.#failure;
    return this.#failure !== undefined;
  }

  async #settled(event: 'drain' | 'finish'): Promise<void> {
    try {
      await once(this.#stream, event);
    } catch (error) {
      if (!this.#lossy) throw error;
    }
  }
}
