import { BlockList, isIP } from 'node:net';
import { ImageError } from '../../model/image-error.js';
import { hostOf, inList, isLoopback } from './addresses.js';

/** Variables of the environment. */
type Environment = Readonly<Record<string, string | undefined>>;

const PORTS: Readonly<Record<string, string>> = { 'http:': '80', 'https:': '443' };

/**
 * Returns the proxy for a URL, by the rules of Docker and podman (golang.org/x/net/http/httpproxy): `HTTPS_PROXY` for
 * `https`, `HTTP_PROXY` for `http`, `NO_PROXY` for exceptions; names in lower case count where those in capitals are
 * missing. Requests to this machine never go through a proxy.
 *
 * @throws ImageError `REGISTRY_PROXY` if the variable is not the URL of a proxy; its value is not shown, because it may contain a password
 */
export function proxyFor(url: URL, environment: Environment = process.env): URL | undefined {
  const name = url.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY';
  // In a CGI program HTTP_PROXY is a header of the client's (CVE-2016-5385).
  const given = name === 'HTTP_PROXY' && environment.REQUEST_METHOD ? undefined : variable(environment, name);
  if (!given || isLoopback(url) || isExcepted(url, variable(environment, 'NO_PROXY') ?? '')) return undefined;
  return parseProxy(given, name);
}

function variable(environment: Environment, name: string): string | undefined {
  return environment[name]?.trim() || environment[name.toLowerCase()]?.trim() || undefined;
}

function parseProxy(given: string, name: string): URL {
  const text = /^[a-z][a-z0-9+.-]*:\/\//i.test(given) ? given : `http://${given}`;
  const proxy = URL.canParse(text) ? new URL(text) : undefined;
  if (proxy && ['http:', 'https:'].includes(proxy.protocol) && proxy.hostname) return proxy;
  throw new ImageError({
    code: 'REGISTRY_PROXY',
    message: proxy ? `${name} names a proxy of the kind ${proxy.protocol.slice(0, -1)}, which is not supported` : `${name} is not the URL of a proxy`,
    hint: `Set ${name} to http://[USER:PASSWORD@]HOST:PORT, or except the registry by NO_PROXY.`,
  });
}

/** Whether `NO_PROXY` excepts a URL. */
function isExcepted(url: URL, list: string): boolean {
  const host = hostOf(url);
  const port = url.port || PORTS[url.protocol];
  return list
    .toLowerCase()
    .split(/[\s,]+/)
    .some((entry) => {
      if (entry === '*') return true;
      const subnet = subnetOf(entry);
      if (subnet) return inList(subnet, host);
      const { name, wantedPort } = splitPort(entry);
      if (!name || (wantedPort !== undefined && wantedPort !== port)) return false;
      if (isIP(name)) return inList(listOf(name), host);
      if (isIP(host)) return name === host;
      const suffix = name.replace(/^\*\./, '.');
      return suffix.startsWith('.') ? host.endsWith(suffix) : host === suffix || host.endsWith(`.${suffix}`);
    });
}

/** The addresses of `ADDRESS/BITS`. */
function subnetOf(entry: string): BlockList | undefined {
  const [, address = '', bits = ''] = /^([0-9a-f.:]+)\/(\d{1,3})$/.exec(entry) ?? [];
  const version = isIP(address);
  if (version === 0 || Number(bits) > (version === 6 ? 128 : 32)) return undefined;
  const list = new BlockList();
  list.addSubnet(address, Number(bits), version === 6 ? 'ipv6' : 'ipv4');
  return list;
}

function listOf(address: string): BlockList {
  const list = new BlockList();
  list.addAddress(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
  return list;
}

/** `NAME`, `NAME:PORT`, `ADDRESS`, `[ADDRESS]` or `[ADDRESS]:PORT`. */
function splitPort(entry: string): { readonly name: string; readonly wantedPort?: string } {
  if (isIP(entry)) return { name: entry };
  const [, bracketed, plain, wantedPort] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d+))?$/.exec(entry) ?? [];
  return { name: bracketed ?? plain ?? '', ...(wantedPort === undefined ? {} : { wantedPort }) };
}
