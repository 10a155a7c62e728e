/** The last newline of a text; `\r\n` counts as one. */
const FINAL_NEWLINE = /\r?\n$/;

/** Returns text without its last newline. */
export function stripText(text: string): string {
  return text.replace(FINAL_NEWLINE, '');
}

/** Returns bytes without their last newline. */
export function stripBytes(bytes: Uint8Array): Uint8Array {
  const [before, last] = [bytes.at(-2), bytes.at(-1)];
  if (last !== 0x0a) return bytes;
  return bytes.subarray(0, before === 0x0d ? -2 : -1);
}

/** Puts lines together from pieces of text. */
export class LineSplitter {
  readonly #strip: boolean;
  #rest = '';

  /** @param strip whether lines come without their newlines */
  constructor(strip: boolean) {
    this.#strip = strip;
  }

  /** Returns the lines that are whole now. */
  add(text: string): string[] {
    if (!text.includes('\n')) {
      this.#rest += text;
      return [];
    }
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    return lines.map((line) => (this.#strip ? line.replace(/\r$/, '') : `${line}\n`));
  }

  /** Returns the last line, if it has no newline. */
  end(): string[] {
    const last = this.#rest;
    this.#rest = '';
    return last === '' ? [] : [last];
  }
}
