/** As many entries may be on their way to the interpreter; far more than its buffers hold. */
const IN_FLIGHT = 1 << 16;

/** Remembers which entry of an archive each op is for, for as long as the op may still fail. */
export class EntriesInFlight {
  /** The first op, the name and a note of each of the entries lately written. */
  readonly #starts = new Uint32Array(IN_FLIGHT);
  readonly #names: string[] = new Array(IN_FLIGHT).fill('');
  readonly #notes: string[] = new Array(IN_FLIGHT).fill('');
  #count = 0;

  /** How many entries there were. */
  get count(): number {
    return this.#count;
  }

  /** From this op on ops are for an entry of this name. */
  begin(op: number, name: string): void {
    const slot = this.#count++ % IN_FLIGHT;
    this.#starts[slot] = op;
    this.#names[slot] = name;
    this.#notes[slot] = '';
  }

  /** Notes something of the last entry. */
  note(text: string): void {
    this.#notes[(this.#count - 1) % IN_FLIGHT] = text;
  }

  /** Returns the entry that an op is for, its name as bytes; undefined for an op before the first entry. */
  find(op: number): { readonly name: string; readonly note: string } | undefined {
    const oldest = Math.max(0, this.#count - IN_FLIGHT);
    for (let i = this.#count - 1; i >= oldest; i--) {
      const slot = i % IN_FLIGHT;
      if ((this.#starts[slot] as number) <= op) return { name: this.#names[slot] as string, note: this.#notes[slot] as string };
    }
    return undefined;
  }
}
