import { isIPv6 } from 'node:net';
import type { PublishedPort } from '@lamella/engine';

/** An address and a port of the host, as Docker binds one: of all addresses both kinds are told. */
export function hostBindings({ address, hostPort }: PublishedPort): readonly { readonly HostIp: string; readonly HostPort: string }[] {
  return (address === undefined ? ['0.0.0.0', '::'] : [address]).map((HostIp) => ({ HostIp, HostPort: `${hostPort}` }));
}

/** Published ports as Docker lists them: 0.0.0.0:8080->80/tcp. */
export function formatPorts(ports: readonly PublishedPort[]): string[] {
  return ports.flatMap((port) => hostBindings(port).map((binding) => `${formatBinding(binding)}->${port.containerPort}/${port.protocol}`));
}

export function formatBinding({ HostIp, HostPort }: { readonly HostIp: string; readonly HostPort: string }): string {
  return `${isIPv6(HostIp) ? `[${HostIp}]` : HostIp}:${HostPort}`;
}
