import { BPF } from './bpf.js';

type Comparison = 'eq' | 'gt' | 'ge';
const JUMPS: Readonly<Record<Comparison, number>> = { eq: BPF.JMP_JEQ_K, gt: BPF.JMP_JGT_K, ge: BPF.JMP_JGE_K };

/** The longest distance of a conditional jump, in instructions. */
const NEAR = 255;

interface Instruction {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}

/** The target of a jump: the number of instructions from it to the end. */
export type Label = number;

/**
 * Builds a filter from its end to its beginning. BPF jumps only forward, so the distance to every target
 * is known when the jump is added.
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

  /** Adds an instruction that returns a verdict. */
  ret(verdict: number): Label {
    return this.#put(BPF.RET_K, verdict);
  }

  /** Adds an instruction that loads 32 bits of `struct seccomp_data`. */
  load(offset: number): Label {
    return this.#put(BPF.LD_W_ABS, offset);
  }

  /** Adds an instruction that masks the loaded value. */
  and(mask: number): Label {
    return this.#put(BPF.ALU_AND_K, mask);
  }

  /** Adds a jump to a label, unless the label is the next instruction. */
  goto(target: Label): Label {
    const distance = this.#distance(target);
    return distance === 0 ? target : this.#put(BPF.JMP_JA, distance);
  }

  /** Adds a comparison of the loaded value that jumps to one of two labels. */
  branch(how: Comparison, value: number, yes: Label, no: Label): Label {
    if (yes === no) return this.goto(yes);
    // A conditional jump that is too far goes to an unconditional jump nearby.
    const far = (target: Label): Label => (this.#distance(target) > NEAR - 1 ? this.#put(BPF.JMP_JA, this.#distance(target)) : target);
    const nearNo = far(no);
    const nearYes = far(yes);
    return this.#put(JUMPS[how], value, this.#distance(nearYes), this.#distance(nearNo));
  }

  /** Returns the filter as `struct sock_filter[]`. */
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
