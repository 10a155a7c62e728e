import { isIP } from 'node:net';
import type { PublishedPort, RunSpec } from '@lamella/engine';
import { UsageError } from '../errors/usage-error.js';

/** Returns the ports of `--publish`. @throws UsageError */
export function publishedPorts(publish: readonly string[] = [], network: RunSpec['network']): Pick<RunSpec, 'publish'> {
  if (!publish.length) return {};
  if (network !== 'pasta')
    throw new UsageError(
      network === 'host' ? '--publish cannot be used with --network host' : '--publish requires --network pasta',
      network === 'host' ? 'Remove --publish: the container listens on the ports of the host.' : 'Add --network pasta.',
    );
  // Duplicates count once.
  const all = new Map(publish.flatMap(port).map((each) => [JSON.stringify(each), each]));
  return { publish: [...all.values()] };
}

/** Returns the published ports of one value, which may be a range. */
function port(text: string): PublishedPort[] {
  const match =
    /^(?:(?<address>\[[0-9a-fA-F:.]+\]|\d+\.\d+\.\d+\.\d+):)?(?<host>\d+(?:-\d+)?)(?::(?<container>\d+(?:-\d+)?))?(?:\/(?<protocol>tcp|udp))?$/.exec(text);
  const { address, host = '', container = host, protocol = 'tcp' } = match?.groups ?? {};
  const [hosts, containers] = [range(host), range(container)];
  const ip = address?.replace(/^\[(.*)\]$/, '$1');
  if (!hosts.length || hosts.length !== containers.length || (ip !== undefined && !isIP(ip)))
    throw new UsageError(`invalid port '${text}'`, 'Use -p 8080:80, -p 127.0.0.1:8080:80, -p 5353:53/udp or -p 8000-8009:80-89.');
  return hosts.map((hostPort, i) => ({
    ...(ip === undefined ? {} : { address: ip }),
    hostPort,
    containerPort: containers[i] as number,
    protocol: protocol as 'tcp' | 'udp',
  }));
}

/** Returns the ports of a range; none if it is invalid. */
function range(text: string): number[] {
  const [first = 0, last = first] = text.split('-').map(Number);
  return first > 0 && first <= last && last < 65_536 ? Array.from({ length: last - first + 1 }, (_, i) => first + i) : [];
}
