import { closeSync, openSync, readFileSync } from 'node:fs';
import { AT_FDCWD, CLONE, O, type Op, type Program, run, SyscallError, slotAllocator } from '@lamella/syscall';
import type { OciLinux } from '../config/schema.js';
import { OciError } from '../errors/oci-error.js';
import { addAddress, addressOf, askForAddresses, askForLink, type DeviceAddress, indexOf, moveLink, setUp } from './rtnetlink.js';

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 0o2000003;
const NETLINK_ROUTE = 0;

/** Moved devices. It holds their network namespace until it is disposed. */
export interface MovedDevices extends Disposable {
  /** Moves the devices back under their old names. */
  back(): Promise<void>;
}

/**
 * Moves network devices from this network namespace into that of a process (config-linux.md, "Network Devices"). They get their new
 * names, keep their addresses, and are set up. A failure moves all of them back.
 *
 * @param pid a process in another network namespace
 * @throws OciError `NET_DEVICE_MISSING`, `NET_DEVICE_EXISTS`, `NET_DEVICE_FAILED`
 */
export async function moveDevices(devices: NonNullable<OciLinux['netDevices']>, pid: number): Promise<MovedDevices> {
  const there = new Set(namesOf(pid));
  const taken = Object.entries(devices).find(([name, { name: wanted }]) => there.has(wanted || name));
  if (taken)
    throw new OciError({
      code: 'NET_DEVICE_EXISTS',
      message: `linux.netDevices.${taken[0]}: file exists: the container's network namespace has a device ${taken[1].name || taken[0]}`,
      hint: 'Choose another name: {"name": "eth1"}, or "eth%d" for a free one.',
    });
  const indexes = new Map<string, number>();
  for (const name of Object.keys(devices)) indexes.set(name, await findDevice(name, 'self'));
  const addresses = (await ask('self', askForAddresses())).map(addressOf).filter((each) => each !== undefined);
  const addressesOf = (name: string): DeviceAddress[] => addresses.filter(({ index }) => index === indexes.get(name));
  const moved: (readonly [name: string, now: string])[] = [];
  // Held, because the devices would be destroyed with the namespace if the process ended.
  const held = openSync(`/proc/${pid}/ns/net`, 'r');
  const namespace = `/proc/${process.pid}/fd/${held}`;
  const back = async (): Promise<void> => {
    for (let last = moved.pop(); last; last = moved.pop()) {
      const [name, now] = last;
      await ask(namespace, moveLink(await findDevice(now, namespace), process.pid, name));
      await setUpDevice(name, name, addressesOf(name), 'self');
    }
  };
  try {
    for (const [name, { name: given }] of Object.entries(devices)) {
      const wanted = given || name;
      const before = new Set(namesOf(pid));
      await withDeviceError(name, () => ask('self', moveLink(indexes.get(name) ?? 0, pid, wanted)));
      // The kernel chooses the name for a template such as eth%d.
      const now = namesOf(pid).find((each) => !before.has(each)) ?? wanted;
      moved.push([name, now]);
      await setUpDevice(name, now, addressesOf(name), namespace);
    }
  } catch (error) {
    await back().finally(() => closeSync(held));
    throw error;
  }
  return { back, [Symbol.dispose]: () => closeSync(held) };
}

/** Returns the names of the devices in the network namespace of a process. */
function namesOf(pid: number): string[] {
  const lines = readFileSync(`/proc/${pid}/net/dev`, 'utf8').split('\n').slice(2);
  return lines.flatMap((line) => /^\s*(.+):/.exec(line)?.[1] ?? []);
}

/** The file of a network namespace, or `self` for this process's own. */
type Where = string;

/** Returns the index of a device, which changes when it is moved. */
async function findDevice(name: string, where: Where): Promise<number> {
  try {
    const [index] = (await ask(where, askForLink(name))).map(indexOf);
    if (index !== undefined) return index;
  } catch (error) {
    if (!(error instanceof SyscallError && error.code === 'ENODEV')) throw error;
  }
  throw new OciError({
    code: 'NET_DEVICE_MISSING',
    message: `linux.netDevices.${name}: no such device`,
    hint: 'List the devices of this network namespace: ip link',
  });
}

/** Sets up a device after a move, by which it lost its addresses. */
async function setUpDevice(device: string, name: string, addresses: readonly DeviceAddress[], where: Where): Promise<void> {
  const index = await findDevice(name, where);
  await withDeviceError(device, () => ask(where, ...addresses.map((address) => addAddress(index, address)), setUp(index)));
}

async function withDeviceError(name: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (cause) {
    if (!(cause instanceof SyscallError)) throw cause;
    throw new OciError({
      code: 'NET_DEVICE_FAILED',
      message: `linux.netDevices.${name}: ${cause.code}, ${cause.message}`,
      hint: 'Moving a device requires CAP_NET_ADMIN in both namespaces. Some devices, such as loopback, cannot be moved.',
      cause,
    });
  }
}

/** Sends requests to the kernel in a network namespace. @returns its answers */
async function ask(where: Where, ...requests: readonly Buffer[]): Promise<Buffer[]> {
  const answers: Buffer[] = [];
  const slots = slotAllocator();
  const [namespace, socket] = [slots(), slots()];
  const enter: Op[] =
    where === 'self'
      ? []
      : [
          { op: 'openat', dirfd: AT_FDCWD, pathname: where, flags: O.RDONLY | O.NONBLOCK | O.CLOEXEC, mode: 0, out: namespace },
          { op: 'setns', fd: namespace, nstype: CLONE.NEWNET },
        ];
  const program: Program = [
    ...enter,
    { op: 'socket', domain: AF_NETLINK, type: SOCK_RAW_CLOEXEC, protocol: NETLINK_ROUTE, out: socket },
    ...requests.map((data): Op => ({ op: 'netlink', fd: socket, data })),
  ];
  await run(program, { onReply: (reply) => void (reply.kind === 'data' && answers.push(reply.data)) });
  return answers;
}
