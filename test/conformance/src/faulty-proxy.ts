import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from '@lamella-test/scratch';

/** What a proxy does to an answer; true when it has answered itself. */
type Fault = (incoming: IncomingMessage, outgoing: ServerResponse, upstream: IncomingMessage) => boolean;

export interface FaultyProxy extends Registry {
  fault: Fault;
  /** Lines of what was asked: `GET /v2/… range`. */
  readonly asked: string[];
}

/** A proxy in front of a registry that does harm to what comes back. */
export async function faultyProxy(upstream: string): Promise<FaultyProxy> {
  const asked: string[] = [];
  const proxy: { fault: Fault } = { fault: () => false };
  const server = createServer((incoming, outgoing) => {
    asked.push(`${incoming.method} ${incoming.url}${incoming.headers.range ? ` ${incoming.headers.range}` : ''}`);
    const [hostname, port] = upstream.split(':');
    const onward = request(
      { hostname, port, path: incoming.url, method: incoming.method, headers: { ...incoming.headers, host: incoming.headers.host } },
      (answer) => {
        if (proxy.fault(incoming, outgoing, answer)) return;
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      },
    );
    onward.on('error', () => outgoing.destroy());
    incoming.pipe(onward);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return Object.assign(proxy, {
    host,
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  });
}
