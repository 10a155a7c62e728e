import type { Op, SlotAllocator } from '@lamella/syscall';

/** A rule on devices. A missing field matches every value. @see OCI runtime-spec, config-linux.md, "Allowed Device list" */
export interface DeviceRule {
  readonly allow?: boolean | null | undefined;
  /** `a` for all devices, `c` or `u` for character devices, `b` for block devices. */
  readonly type?: string | undefined;
  readonly major?: number | undefined;
  readonly minor?: number | undefined;
  /** Letters for read (`r`), write (`w`) and mknod (`m`). */
  readonly access?: string | undefined;
}

const BPF_PROG_TYPE_CGROUP_DEVICE = 15;
const BPF_CGROUP_DEVICE = 6;
const BPF_F_ALLOW_MULTI = 2;
const ACCESS: Readonly<Record<string, number>> = { m: 1, r: 2, w: 4 };
const [BLOCK, CHARACTER] = [1, 2];
/** struct bpf_cgroup_dev_ctx: access_type (type in the lower half, access in the upper), major, minor. */
const [TYPE, MAJOR, MINOR] = [0, 4, 8];

/** Encodes an eBPF instruction: opcode, registers, offset, immediate. */
function instruction(code: number, destination: number, source: number, offset: number, immediate: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes[0] = code;
  bytes[1] = destination | (source << 4);
  bytes.writeInt16LE(offset, 2);
  bytes.writeInt32LE(immediate, 4);
  return bytes;
}
const load = (register: number, offset: number): Buffer => instruction(0x61, register, 1, offset, 0);
const unlessEqual = (register: number, value: number, over: number): Buffer => instruction(0x55, register, 0, over, value);
const ret = (value: number): Buffer[] => [instruction(0xb7, 0, 0, 0, value), instruction(0x95, 0, 0, 0, 0)];

/**
 * Returns the rules as a BPF program (BPF_PROG_TYPE_CGROUP_DEVICE), because version 2 has no files for them. The last
 * rule that matches decides, as with version 1, so the program tests the rules in reverse. If no rule matches, access
 * is denied.
 */
export function deviceProgram(rules: readonly DeviceRule[]): Uint8Array {
  const parts: Buffer[] = [
    load(2, TYPE),
    instruction(0xbf, 3, 2, 0, 0), // r3 = r2: access
    instruction(0x77, 3, 0, 0, 16), // r3 >>= 16
    instruction(0x57, 2, 0, 0, 0xffff), // r2 &= 0xffff: type
    load(4, MAJOR),
    load(5, MINOR),
  ];
  for (const rule of [...rules].reverse()) {
    const body = check(rule);
    parts.push(...body, ...ret(rule.allow ? 1 : 0));
    if (!body.length) return Buffer.concat(parts);
  }
  return Buffer.concat([...parts, ...ret(0)]);
}

/** Returns instructions that jump over the rule's verdict, two instructions long, if a condition does not hold. */
function check({ type, major, minor, access, allow }: DeviceRule): Buffer[] {
  const conditions: ((over: number) => Buffer[])[] = [];
  if (type === 'b') conditions.push((over) => [unlessEqual(2, BLOCK, over)]);
  if (type === 'c' || type === 'u') conditions.push((over) => [unlessEqual(2, CHARACTER, over)]);
  const bits = [...(access || 'rwm')].reduce((sum, letter) => sum | (ACCESS[letter] ?? 0), 0);
  if (bits !== 7)
    // An allowing rule must contain all requested kinds of access; a denying rule needs one in common.
    conditions.push((over) =>
      allow
        ? [instruction(0xbf, 6, 3, 0, 0), instruction(0x57, 6, 0, 0, ~bits & 7), unlessEqual(6, 0, over)]
        : [instruction(0xbf, 6, 3, 0, 0), instruction(0x57, 6, 0, 0, bits), instruction(0x15, 6, 0, over, 0)],
    );
  if (major !== undefined && major >= 0) conditions.push((over) => [unlessEqual(4, major, over)]);
  if (minor !== undefined && minor >= 0) conditions.push((over) => [unlessEqual(5, minor, over)]);
  const parts: Buffer[] = [];
  for (const condition of conditions.reverse()) parts.unshift(...condition(parts.length + 2));
  return parts;
}

/** Returns ops that load the program of {@link deviceProgram} and attach it. @param cgroup slot of the cgroup's directory */
export function limitDevices(rules: readonly DeviceRule[], cgroup: number, slots: SlotAllocator): Op[] {
  const program = slots();
  return [
    { op: 'bpf_prog_load', type: BPF_PROG_TYPE_CGROUP_DEVICE, attach_type: BPF_CGROUP_DEVICE, instructions: deviceProgram(rules), out: program },
    { op: 'bpf_prog_attach', target_fd: cgroup, attach_bpf_fd: program, attach_type: BPF_CGROUP_DEVICE, flags: BPF_F_ALLOW_MULTI },
    { op: 'close', fd: program },
  ];
}

/** Returns the rules as writes to files of version 1. */
export function deviceWrites(rules: readonly DeviceRule[]): { readonly file: 'devices.allow' | 'devices.deny'; readonly value: string }[] {
  return rules.map(({ allow, type, major, minor, access }) => {
    const all = !type || type === 'a';
    const number = (value: number | undefined): string => (value === undefined || value < 0 ? '*' : String(value));
    const line = `${all ? 'a' : type === 'u' ? 'c' : type} ${number(major)}:${number(minor)} ${access?.replace(/[^rwm]/g, '') || 'rwm'}`;
    return { file: allow ? 'devices.allow' : 'devices.deny', value: line };
  });
}
