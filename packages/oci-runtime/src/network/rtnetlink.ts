/** Messages of rtnetlink(7) that list and move network devices. Numbers are in host order, which is little-endian on all supported machines. */

const RTM_NEWLINK = 16;
const RTM_GETLINK = 18;
const RTM_NEWADDR = 20;
const RTM_GETADDR = 22;
const NLM_F_REQUEST = 1;
const NLM_F_ACK = 4;
const NLM_F_DUMP = 0x300;
const NLM_F_CREATE_EXCL = 0x600;
const IFLA_IFNAME = 3;
const IFLA_NET_NS_PID = 19;
const IFA_LABEL = 3;
const IFA_FLAGS = 8;
const IFA_F_PERMANENT = 0x80;
const IFF_UP = 1;
const HEADER = 16;
const IFINFOMSG = 16;
const IFADDRMSG = 8;

/** An address of a device as the kernel reports it and takes it again: struct ifaddrmsg and its attributes. */
export interface DeviceAddress {
  readonly index: number;
  readonly body: Buffer;
}

function message(type: number, flags: number, body: Buffer): Buffer {
  const header = Buffer.alloc(HEADER);
  header.writeUInt32LE(HEADER + body.length);
  header.writeUInt16LE(type, 4);
  header.writeUInt16LE(NLM_F_REQUEST | NLM_F_ACK | flags, 6);
  return Buffer.concat([header, body]);
}

function link(index: number, attributes: readonly Buffer[], flags = 0): Buffer {
  const body = Buffer.alloc(IFINFOMSG);
  body.writeInt32LE(index, 4);
  body.writeUInt32LE(flags, 8);
  // ifi_change: the flags to change.
  body.writeUInt32LE(flags, 12);
  return Buffer.concat([body, ...attributes]);
}

function attribute(type: number, value: Buffer): Buffer {
  const padded = Buffer.alloc(4 + Math.ceil(value.length / 4) * 4);
  padded.writeUInt16LE(4 + value.length);
  padded.writeUInt16LE(type, 2);
  value.copy(padded, 4);
  return padded;
}

const named = (name: string): Buffer => attribute(IFLA_IFNAME, Buffer.from(`${name}\0`));

function number(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/** Returns the request for a device by its name. {@link indexOf} reads the answer. */
export const askForLink = (name: string): Buffer => message(RTM_GETLINK, 0, link(0, [named(name)]));

/** Returns the request for all addresses of all devices. {@link addressOf} reads each answer. */
export const askForAddresses = (): Buffer => message(RTM_GETADDR, NLM_F_DUMP, Buffer.alloc(IFADDRMSG));

/** Returns the request that moves a device into the network namespace of a process, under a name. */
export const moveLink = (index: number, pid: number, name: string): Buffer =>
  message(RTM_NEWLINK, 0, link(index, [attribute(IFLA_NET_NS_PID, number(pid)), named(name)]));

/** Returns the request that sets up a device. */
export const setUp = (index: number): Buffer => message(RTM_NEWLINK, 0, link(index, [], IFF_UP));

/** Returns the request that adds an address to a device. */
export function addAddress(index: number, { body }: DeviceAddress): Buffer {
  const copy = Buffer.from(body);
  copy.writeUInt32LE(index, 4);
  return message(RTM_NEWADDR, NLM_F_CREATE_EXCL, copy);
}

/** Returns the index of the device in an answer. */
export function indexOf(answer: Buffer): number | undefined {
  return answer.readUInt16LE(4) === RTM_NEWLINK ? answer.readInt32LE(HEADER + 4) : undefined;
}

/** Returns the address in an answer if it is permanent and of global scope. */
export function addressOf(answer: Buffer): DeviceAddress | undefined {
  if (answer.readUInt16LE(4) !== RTM_NEWADDR) return undefined;
  const fixed = answer.subarray(HEADER, HEADER + IFADDRMSG);
  const attributes = attributesOf(answer.subarray(HEADER + IFADDRMSG));
  // The attribute has all flags; struct ifaddrmsg has only eight.
  const flags = attributes.find(({ type }) => type === IFA_FLAGS)?.bytes.readUInt32LE(4) ?? fixed.readUInt8(2);
  const scope = fixed.readUInt8(3);
  if (scope !== 0 || !(flags & IFA_F_PERMANENT)) return undefined;
  // The label contains the device name, which may change.
  const kept = attributes.filter(({ type }) => type !== IFA_LABEL).map(({ bytes }) => bytes);
  return { index: fixed.readUInt32LE(4), body: Buffer.concat([fixed, ...kept]) };
}

/** Returns the attributes (struct rtattr), each with its padding. */
function attributesOf(bytes: Buffer): { readonly type: number; readonly bytes: Buffer }[] {
  const found: { type: number; bytes: Buffer }[] = [];
  for (let at = 0; at + 4 <= bytes.length; ) {
    const end = at + Math.max(4, Math.ceil(bytes.readUInt16LE(at) / 4) * 4);
    found.push({ type: bytes.readUInt16LE(at + 2), bytes: bytes.subarray(at, end) });
    at = end;
  }
  return found;
}
