import { isIP } from 'node:net';
import type { PublishedPort, RunSpec } from '@lamella/engine';
import { UsageError } from '../errors/usage-error.js';

/** What `--publish` says. @throws UsageError */
export function publishedPorts(publish: readonly string[] = [], network: RunSpec['network']): Pick<RunSpec, 'publish'> {
  if (!publish.length) return {};
  if (network !== 'pasta')
    throw new UsageError(
      network === 'host' ? "with the host's network every port is the host's already" : 'a container without a network has no ports to publish',
      network === 'host' ? 'Leave --publish out.' : 'Say --network pasta, too.',
    );
  // Once is enough.
  const all = new Map(publish.flatMap(port).map((each) => [JSON.stringify(each), each]));
  return { publish: [...all.values()] };
}

/** One port, or as many as its ranges have. */
function port(text: string): PublishedPort[] {
  const match =
    /^(?:(?<address>\[[0-9a-fA-F:.]+\]|\d+\.\d+\.\d+\.\d+):)?(?<host>\d+(?:-\d+)?)(?::(?<container>\d+(?:-\d+)?))?(?:\/(?<protocol>tcp|udp))?$/.exec(text);
  const { address, host = '', container = host, protocol = 'tcp' } = match?.groups ?? {};
  const [hosts, containers] = [range(host), range(container)];
  const ip = address?.replace(/^\[(.*)\]$/, '$1');
  if (!hosts.length || hosts.length !== containers.length || (ip !== undefined && !isIP(ip)))
    throw new UsageError(`'${text}' is not a port to publish`, 'Write -p 8080:80, -p 127.0.0.1:8080:80, -p 5353:53/udp or -p 8000-8009:80-89.');
  return hosts.map((hostPort, i) => ({
    ...(ip === undefined ? {} : { address: ip }),
    hostPort,
    containerPort: containers[i] as number,
    protocol: protocol as 'tcp' | 'udp',
  }));
}

/** Nothing of what is no port, or no range of such. */
function range(text: string): number[] {
  const [first = 0, last = first] = text.split('-').map(Number);
  return first > 0 && first <= last && last < 65_536 ? Array.from({ length: last - first + 1 }, (_, i) => first + i) : [];
}
