import { BPF } from './bpf.js';

/** The input of a filter (`struct seccomp_data`, seccomp(2)). */
export interface SyscallData {
  readonly number: number;
  /** The architecture of the call, `AUDIT_ARCH_*`. */
  readonly architecture: number;
  /** The arguments, unsigned 64-bit. A missing argument is 0. */
  readonly args?: readonly bigint[];
}

/**
 * Returns the verdict of a filter on a system call, without making the call. It interprets the
 * instructions of classic BPF that this package and libseccomp compile to.
 *
 * @param filter `struct sock_filter[]`
 * @returns `SECCOMP_RET_*` with its data
 * @throws RangeError if the filter has an unknown instruction or ends without a verdict
 */
export function evaluate(filter: Uint8Array, { number, architecture, args = [] }: SyscallData): number {
  const data = Buffer.alloc(64);
  data.writeInt32LE(number | 0, 0);
  data.writeUInt32LE(architecture, 4);
  for (let i = 0; i < 6; i++) data.writeBigUInt64LE(BigInt.asUintN(64, args[i] ?? 0n), 16 + i * 8);
  const code = Buffer.from(filter.buffer, filter.byteOffset, filter.byteLength);
  let a = 0;
  for (let pc = 0; pc * 8 < code.length; pc++) {
    const k = code.readUInt32LE(pc * 8 + 4);
    const [jt, jf] = [code[pc * 8 + 2] ?? 0, code[pc * 8 + 3] ?? 0];
    switch (code.readUInt16LE(pc * 8)) {
      case BPF.LD_W_ABS:
        a = data.readUInt32LE(k);
        break;
      case BPF.JMP_JA:
        pc += k;
        break;
      case BPF.JMP_JEQ_K:
        pc += a === k ? jt : jf;
        break;
      case BPF.JMP_JGT_K:
        pc += a > k ? jt : jf;
        break;
      case BPF.JMP_JGE_K:
        pc += a >= k ? jt : jf;
        break;
      case BPF.JMP_JSET_K:
        pc += (a & k) !== 0 ? jt : jf;
        break;
      case BPF.ALU_AND_K:
        a = (a & k) >>> 0;
        break;
      case BPF.RET_K:
        return k;
      default:
        throw new RangeError(`instruction ${pc} of the filter has the unknown code ${code.readUInt16LE(pc * 8)}`);
    }
  }
  throw new RangeError('the filter ends without a verdict');
}
