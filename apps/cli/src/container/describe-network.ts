import type { PublishedPort, RunSpec } from '@lamella/engine';
import { hostBindings } from './format-ports.js';

/** The fields of a network without an address. */
const NO_ADDRESS = {
  Gateway: '',
  IPAddress: '',
  IPPrefixLen: 0,
  IPv6Gateway: '',
  GlobalIPv6Address: '',
  GlobalIPv6PrefixLen: 0,
  MacAddress: '',
};

/** Returns `NetworkSettings`. With pasta, a container uses the addresses of the host. */
export function describeNetwork({ network = 'none', publish }: RunSpec, isRunning: boolean): Record<string, unknown> {
  return { ...NO_ADDRESS, Ports: isRunning ? byPort(publish, hostBindings) : {}, Networks: { [network]: NO_ADDRESS } };
}

/** Returns the bindings on the host by port inside the container, as Docker does. */
export function byPort<Binding>(
  ports: readonly PublishedPort[] = [],
  bindings: (port: PublishedPort) => readonly Binding[],
): Record<string, readonly Binding[]> {
  const found: Record<string, readonly Binding[]> = {};
  for (const port of ports) {
    const key = `${port.containerPort}/${port.protocol}`;
    found[key] = [...(found[key] ?? []), ...bindings(port)];
  }
  return found;
}
