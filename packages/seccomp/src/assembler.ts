/** Classic BPF as seccomp takes it (linux/bpf_common.h, linux/filter.h). */
const LD_W_ABS = 0x20;
const JMP_JA = 0x05;
const JMP_JEQ_K = 0x15;
const JMP_JGT_K = 0x25;
const JMP_JGE_K = 0x35;
const ALU_AND_K = 0x54;
const RET_K = 0x06;

const JUMPS: Readonly<Record<Comparison, number>> = { eq: JMP_JEQ_K, gt: JMP_JGT_K, ge: JMP_JGE_K };
type Comparison = 'eq' | 'gt' | 'ge';

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
    return this.#put(RET_K, verdict);
  }

  /** Load 32 bits of `struct seccomp_data`. */
  load(offset: number): Label {
    return this.#put(LD_W_ABS, offset);
  }

  and(mask: number): Label {
    return this.#put(ALU_AND_K, mask);
  }

  /** Go on at a label; nothing is put where that is the next instruction. */
  goto(target: Label): Label {
    const distance = this.#distance(target);
    return distance === 0 ? target : this.#put(JMP_JA, distance);
  }

  /** Compare what was loaded, and go on at one of two labels. */
  branch(how: Comparison, value: number, yes: Label, no: Label): Label {
    if (yes === no) return this.goto(yes);
    // A jump that is too far goes by way of one that is not.
    const far = (target: Label): Label => (this.#distance(target) > NEAR - 1 ? this.#put(JMP_JA, this.#distance(target)) : target);
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
