import { isIP } from 'node:net';
import type { PublishedPort, RunSpec } from '@lamella/engine';
import { UsageError } from '../usage-error.js';

/** What `--publish` says. @throws UsageError */
export function published(publish: readonly string[] = [], network: RunSpec['network']): Pick<RunSpec, 'publish'> {
  if (!publish.length) return {};
  if (network !== 'pasta')
    throw new UsageError(
      network === 'host' ? "with the host's network every port is the host's already" : 'a container without a network has no ports to publish',
      network === 'host' ? 'Leave --publish out.' : 'Say --network pasta, too.',
    );
  return { publish: publish.map(port) };
}

function port(text: string): PublishedPort {
  const match = /^(?:(?<address>\[[0-9a-fA-F:.]+\]|\d+\.\d+\.\d+\.\d+):)?(?<host>\d+)(?::(?<container>\d+))?(?:\/(?<protocol>tcp|udp))?$/.exec(text);
  const { address, host = '', container = host, protocol = 'tcp' } = match?.groups ?? {};
  const [hostPort, containerPort] = [Number(host), Number(container)];
  const ip = address?.replace(/^\[(.*)\]$/, '$1');
  const isPort = (number: number): boolean => number > 0 && number < 65_536;
  if (!match || !isPort(hostPort) || !isPort(containerPort) || (ip !== undefined && !isIP(ip)))
    throw new UsageError(`'${text}' is not a port to publish`, 'Write -p 8080:80, -p 127.0.0.1:8080:80 or -p 5353:53/udp.');
  return { ...(ip === undefined ? {} : { address: ip }), hostPort, containerPort, protocol: protocol as 'tcp' | 'udp' };
}
