/** The instructions of classic BPF in seccomp filters (linux/bpf_common.h). */
export const BPF = {
  LD_W_ABS: 0x20,
  JMP_JA: 0x05,
  JMP_JEQ_K: 0x15,
  JMP_JGT_K: 0x25,
  JMP_JGE_K: 0x35,
  JMP_JSET_K: 0x45,
  ALU_AND_K: 0x54,
  RET_K: 0x06,
} as const;
