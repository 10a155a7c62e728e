import { BPF } from './bpf.js';

/** What a filter is asked about (`struct seccomp_data`, seccomp(2)). */
export interface SyscallData {
  readonly number: number;
  /** `AUDIT_ARCH_*` */
  readonly architecture: number;
  /** Unsigned 64-bit; missing ones are 0. */
  readonly args?: readonly bigint[];
}

/**
 * What a filter says about a system call, without making it: the kernel's interpreter of classic
 * BPF, for the instructions that seccomp allows in what this package and libseccomp compile.
 *
 * @param filter `struct sock_filter[]`
 * @returns the verdict, `SECCOMP_RET_*` and its data
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
        throw new RangeError(`instruction ${pc} of the filter is none of those that are known: ${code.readUInt16LE(pc * 8)}`);
    }
  }
  throw new RangeError('the filter ends without a verdict');
}
