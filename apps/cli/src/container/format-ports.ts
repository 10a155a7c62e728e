import { isIPv6 } from 'node:net';
import type { PublishedPort } from '@lamella/engine';

/** Returns the bindings of a published port. Without an address they are those of IPv4 and IPv6, as with Docker. */
export function hostBindings({ address, hostPort }: PublishedPort): readonly { readonly HostIp: string; readonly HostPort: string }[] {
  return (address === undefined ? ['0.0.0.0', '::'] : [address]).map((HostIp) => ({ HostIp, HostPort: `${hostPort}` }));
}

/** Returns published ports as Docker lists them: 0.0.0.0:8080->80/tcp. */
export function formatPorts(ports: readonly PublishedPort[]): string[] {
  return ports.flatMap((port) => hostBindings(port).map((binding) => `${formatBinding(binding)}->${port.containerPort}/${port.protocol}`));
}

/** Returns an address and a port: 0.0.0.0:8080, [::]:8080. */
export function formatBinding({ HostIp, HostPort }: { readonly HostIp: string; readonly HostPort: string }): string {
  return `${isIPv6(HostIp) ? `[${HostIp}]` : HostIp}:${HostPort}`;
}
