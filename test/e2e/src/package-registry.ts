import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';

export interface PackageRegistry extends AsyncDisposable {
  readonly url: string;
}

/** Serves tarballs as npm's registry does: a document for each package, with one version. */
export async function servePackages(tarballs: Iterable<string>): Promise<PackageRegistry> {
  const packages = new Map(
    [...tarballs].map((file) => {
      const manifest = JSON.parse(execFileSync('tar', ['-xzOf', file, 'package/package.json'], { encoding: 'utf8' })) as { name: string; version: string };
      return [manifest.name, { file, manifest, content: readFileSync(file) }] as const;
    }),
  );
  const server = createServer((request, response) => {
    const asked = decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname.slice(1));
    const tarball = [...packages.values()].find(({ file }) => asked === `tarballs/${path.basename(file)}`);
    if (tarball) return void response.end(tarball.content);
    const found = packages.get(asked);
    if (!found) return void response.writeHead(404).end('{}');
    const { content, file, manifest } = found;
    const integrity = `sha512-${createHash('sha512').update(content).digest('base64')}`;
    const shasum = createHash('sha1').update(content).digest('hex');
    const dist = { integrity, shasum, tarball: `http://${request.headers.host}/tarballs/${path.basename(file)}` };
    const { name, version } = manifest;
    response.setHeader('content-type', 'application/json');
    response.end(
      JSON.stringify({ name, 'dist-tags': { latest: version }, versions: { [version]: { ...manifest, dist } }, time: { [version]: '2020-01-01T00:00:00Z' } }),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
