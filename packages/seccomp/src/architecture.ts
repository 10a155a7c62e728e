import { AARCH64, ARM, I386, X86_64 } from './syscall-numbers.js';

/** An architecture that filters can be compiled for. */
export interface Architecture {
  /** Its value in the input of a filter, `AUDIT_ARCH_*` (linux/audit.h). */
  readonly audit: number;
  /** Its name in Go and in OCI documents. */
  readonly go: string;
  /** System calls by name. */
  readonly numbers: ReadonlyMap<string, number>;
  /** The architecture of 32-bit programs on this machine; `name` is its name in profiles. */
  readonly compat?: { readonly name: string; readonly audit: number; readonly numbers: ReadonlyMap<string, number> };
  /** The bit that marks the numbers of x32 calls on x86_64. */
  readonly closedBit?: number;
}

/** An architecture by Node's name (`process.arch`). */
export type ArchitectureName = 'x64' | 'arm64';

/** The architectures that filters can be compiled for. */
export const ARCHITECTURES: Readonly<Record<ArchitectureName, Architecture>> = {
  x64: {
    audit: 0xc000003e,
    go: 'amd64',
    get numbers() {
      return X86_64();
    },
    closedBit: 0x40000000,
    compat: {
      name: 'SCMP_ARCH_X86',
      audit: 0x40000003,
      get numbers() {
        return I386();
      },
    },
  },
  arm64: {
    audit: 0xc00000b7,
    go: 'arm64',
    get numbers() {
      return AARCH64();
    },
    compat: {
      name: 'SCMP_ARCH_ARM',
      audit: 0x40000028,
      get numbers() {
        return ARM();
      },
    },
  },
};
