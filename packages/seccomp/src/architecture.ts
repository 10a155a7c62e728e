import { AARCH64, ARM, I386, X86_64 } from './syscall-numbers.js';

/** A machine that filters are made for. */
export interface Architecture {
  /** As the kernel names it in a filter's data (linux/audit.h, `AUDIT_ARCH_*`). */
  readonly audit: number;
  /** As Go, and so OCI documents, name it. */
  readonly go: string;
  readonly numbers: ReadonlyMap<string, number>;
  /** The entry of 32-bit programs, as profiles name it, if its calls are known. */
  readonly compat?: { readonly name: string; readonly audit: number; readonly numbers: ReadonlyMap<string, number> };
  /** x86_64 has a second entry, x32, whose numbers have this bit. */
  readonly closedBit?: number;
}

/** By Node's name of it (`process.arch`). */
export type ArchitectureName = 'x64' | 'arm64';

export const ARCHITECTURES: Readonly<Record<ArchitectureName, Architecture>> = {
  x64: { audit: 0xc000003e, go: 'amd64', numbers: X86_64, closedBit: 0x40000000, compat: { name: 'SCMP_ARCH_X86', audit: 0x40000003, numbers: I386 } },
  arm64: { audit: 0xc00000b7, go: 'arm64', numbers: AARCH64, compat: { name: 'SCMP_ARCH_ARM', audit: 0x40000028, numbers: ARM } },
};
