import { BPF } from './bpf.js';

type Comparison = 'eq' | 'gt' | 'ge';
const JUMPS: Readonly<Record<Comparison, number>> = { eq: BPF.JMP_JEQ_K, gt: BPF.JMP_JGT_K, ge: BPF.JMP_JGE_K };

/** What a conditional jump can reach. */
const NEAR = 255;

interface Instruction {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}

/** An instruction that others jump to: how many there are from it to the end. */
export type Label = number;

/**
 * Builds a filter from its end to its beginning: jumps of BPF go forward only, so that every target
 * is there, and its distance known, when a jump to it is made.
 */
export class Assembler {
  readonly #reversed: Instruction[] = [];

  get length(): number {
    return this.#reversed.length;
  }

  #put(code: number, k: number, jt = 0, jf = 0): Label {
    this.#reversed.push({ code, jt, jf, k: k >>> 0 });
    return this.#reversed.length;
  }

  #distance(target: Label): number {
    return this.#reversed.length - target;
  }

  /** Leave with a verdict. */
  ret(verdict: number): Label {
    return this.#put(BPF.RET_K, verdict);
  }

  /** Load 32 bits of `struct seccomp_data`. */
  load(offset: number): Label {
    return this.#put(BPF.LD_W_ABS, offset);
  }

  and(mask: number): Label {
    return this.#put(BPF.ALU_AND_K, mask);
  }

  /** Go on at a label; nothing is put where that is the next instruction. */
  goto(target: Label): Label {
    const distance = this.#distance(target);
    return distance === 0 ? target : this.#put(BPF.JMP_JA, distance);
  }

  /** Compare what was loaded, and go on at one of two labels. */
  branch(how: Comparison, value: number, yes: Label, no: Label): Label {
    if (yes === no) return this.goto(yes);
    // A jump that is too far goes by way of one that is not.
    const far = (target: Label): Label => (this.#distance(target) > NEAR - 1 ? this.#put(BPF.JMP_JA, this.#distance(target)) : target);
    const nearNo = far(no);
    const nearYes = far(yes);
    return this.#put(JUMPS[how], value, this.#distance(nearYes), this.#distance(nearNo));
  }

  /** The filter as `struct sock_filter[]`, from its beginning. */
  bytes(): Uint8Array {
    const out = Buffer.alloc(this.#reversed.length * 8);
    for (const [i, { code, jt, jf, k }] of this.#reversed.toReversed().entries()) {
      out.writeUInt16LE(code, i * 8);
      out[i * 8 + 2] = jt;
      out[i * 8 + 3] = jf;
      out.writeUInt32LE(k, i * 8 + 4);
    }
    return out;
  }
}
