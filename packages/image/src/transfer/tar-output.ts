import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { Header } from '../tar/header-block.js';

interface Kind {
  readonly type: 'File' | 'Directory';
  readonly mode: number;
}

/** Writes directories and plain files into a tar, one after the other. */
export class TarOutput {
  readonly #output: Writable;
  #failure: Error | undefined;

  constructor(output: Writable) {
    this.#output = output;
    // It may fail while nobody waits for it: a file that cannot be made, a reader that goes away.
    output.once('error', (error) => {
      this.#failure = error;
    });
  }

  /** @param name with a slash at its end */
  async directory(name: string): Promise<void> {
    await this.#header(name, 0, { type: 'Directory', mode: 0o755 });
  }

  async file(name: string, content: Buffer): Promise<void> {
    await this.#header(name, content.length);
    await this.#write(content);
    await this.#pad(content.length);
  }

  /** @throws Error when the stream has not the size that was said */
  async stream(name: string, size: number, content: AsyncIterable<Buffer>): Promise<void> {
    await this.#header(name, size);
    let written = 0;
    for await (const chunk of content) {
      written += chunk.length;
      await this.#write(chunk);
    }
    if (written !== size) throw new Error(`${name} has ${written} bytes instead of ${size}`);
    await this.#pad(size);
  }

  /** Writes the end marker, ends the output, and waits until all of it is written. */
  async end(): Promise<void> {
    await this.#write(Buffer.alloc(1024));
    if (this.#failure) throw this.#failure;
    this.#output.end();
    await finished(this.#output);
  }

  async #header(path: string, size: number, kind: Kind = { type: 'File', mode: 0o644 }): Promise<void> {
    const block = Buffer.alloc(512);
    // Nothing of the machine or the moment: the same image makes the same archive.
    new Header({ path, size, uid: 0, gid: 0, mtime: new Date(0), ...kind }).encode(block, 0);
    await this.#write(block);
  }

  async #pad(size: number): Promise<void> {
    const rest = size % 512;
    if (rest) await this.#write(Buffer.alloc(512 - rest));
  }

  async #write(bytes: Buffer): Promise<void> {
    if (this.#failure) throw this.#failure;
    if (!this.#output.write(bytes)) await once(this.#output, 'drain');
  }
}
