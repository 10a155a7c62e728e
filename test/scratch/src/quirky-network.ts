import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import path from 'node:path';
import type { QuirkyRegistry } from './quirky-registry.js';

/** Names of hosts that exist behind a proxy only, with a certificate for all of them. */
export interface QuirkyNetwork extends AsyncDisposable {
  /** `http://127.0.0.1:PORT`, for HTTPS_PROXY and HTTP_PROXY. */
  readonly proxy: string;
  /** The certificate that everybody here has, as a file. */
  readonly certificate: string;
  /** The registries by their hosts, with the port if it is not the usual one. */
  readonly hosts: Map<string, QuirkyRegistry>;
  /** What the proxy was asked: `CONNECT one.reg.example:443`, `GET http://one.reg.example/…`. */
  readonly asked: string[];
  /** The credentials that proxies ask for; none by default. */
  proxyAuthorization: string | undefined;
}

/**
 * A network of registries. Connections to its names are made through its proxy: TLS ends in one server, plain HTTP in the
 * proxy itself, so that nothing can be asked unseen.
 */
export async function quirkyNetwork(directory: string): Promise<QuirkyNetwork> {
  const certificate = path.join(directory, 'certificate.pem');
  const key = path.join(directory, 'key.pem');
  const names = 'subjectAltName=DNS:*.reg.example,DNS:localhost,IP:127.0.0.1,IP:::1';
  execFileSync(
    'openssl',
    `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=quirky -addext ${names} -keyout ${key} -out ${certificate}`.split(' '),
    { stdio: 'ignore' },
  );
  const hosts = new Map<string, QuirkyRegistry>();
  const asked: string[] = [];
  const network: { proxyAuthorization: string | undefined } = { proxyAuthorization: undefined };
  const answer = (request: IncomingMessage, response: ServerResponse, origin: string): void => {
    const registry = hosts.get(new URL(origin).host);
    if (registry) void registry.handle(request, response, origin);
    else response.writeHead(502).end();
  };
  const secure = createSecureServer({ cert: readFileSync(certificate), key: readFileSync(key) }, (request, response) =>
    answer(request, response, `https://${request.headers.host}`),
  );
  const proxy = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    if (refuses(request)) return void response.writeHead(407).end();
    const url = new URL(request.url ?? '');
    request.url = url.pathname + url.search;
    answer(request, response, url.origin);
  });
  const refuses = ({ headers }: IncomingMessage): boolean =>
    network.proxyAuthorization !== undefined && headers['proxy-authorization'] !== network.proxyAuthorization;
  proxy.on('connect', (request, client, head) => {
    asked.push(`CONNECT ${request.url}`);
    if (refuses(request)) return client.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
    if (!hosts.has((request.url ?? '').replace(/:443$/, ''))) return client.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
    const server = connect((secure.address() as AddressInfo).port, '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      server.write(head);
      server.pipe(client).pipe(server);
    });
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const)
      one.on('error', () => other.destroy()).on('close', () => other.destroy());
  });
  for (const server of [secure, proxy]) {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  }
  return Object.assign(network, {
    proxy: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    certificate,
    hosts,
    asked,
    async [Symbol.asyncDispose]() {
      for (const server of [secure, proxy]) {
        server.closeAllConnections();
        server.close();
        await once(server, 'close');
      }
    },
  });
}
