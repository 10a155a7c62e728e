import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { type Exchange, type Quirk, QuirkyRegistry } from '@lamella-test/scratch';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RegistryClient } from './registry-client.js';
import { uploadBlob } from './upload-blob.js';

/** Uploads to a registry on this machine. @returns the states that were told, in order */
async function upload(content: Buffer, quirk: Quirk, { from, prepare }: { from?: string; prepare?: (registry: QuirkyRegistry) => void } = {}) {
  const registry = new QuirkyRegistry('local', { quirk });
  prepare?.(registry);
  const server = createServer((request, response) => void registry.handle(request, response, `http://${request.headers.host}`));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`;
  const told: [state: string, bytes: number][] = [];
  try {
    await using client = new RegistryClient(`127.0.0.1:${(server.address() as AddressInfo).port}`, 'app');
    const blob = { digest, size: content.length, read: (at: number, end: number) => Readable.from([content.subarray(at, end)]) };
    await uploadBlob(client, blob, { from, onProgress: (state, bytes) => told.push([state, bytes]) });
  } finally {
    server.closeAllConnections();
    server.close();
  }
  expect(registry.blobs.get(digest)?.equals(content)).toBe(true);
  return { told, registry };
}

/** Reads so many bytes of a piece, keeps them, and hangs up. */
async function cut({ request, response, url, registry, seen }: Exchange, bytes: number): Promise<boolean> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) {
    chunks.push(chunk as Buffer);
    if (Buffer.concat(chunks).length >= bytes) break;
  }
  const id = url.pathname.split('/').at(-1) ?? '';
  const had = registry.uploads.get(id) ?? Buffer.alloc(0);
  if (Number(seen.headers['content-range']?.split('-')[0]) !== had.length) throw new Error('a piece that does not follow');
  registry.uploads.set(id, Buffer.concat([had, Buffer.concat(chunks).subarray(0, bytes)]));
  response.destroy();
  return true;
}

test('whatever breaks off, the blob arrives whole, and no byte that was kept is sent again', async () => {
  const cases = fc.sample(
    fc.record({ size: fc.integer({ min: 1, max: 600_000 }), cuts: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 4 }), seed: fc.nat() }),
    process.env.LAMELLA_LONG ? 60 : 12,
  );
  await Promise.all(
    cases.map(async ({ size, cuts }) => {
      const content = randomBytes(size);
      const left = [...cuts];
      let kept = 0;
      const { told, registry } = await upload(content, {
        before: async (exchange) => {
          const share = exchange.seen.method === 'PATCH' ? left.shift() : undefined;
          if (share === undefined) return false;
          const bytes = Math.floor(share * Number(exchange.seen.headers['content-length']));
          kept += bytes;
          return cut(exchange, bytes);
        },
      });
      expect(told.at(-1)).toEqual(['done', size]);
      const bytes = told.map(([, each]) => each);
      expect(bytes).toEqual([...bytes].sort((a, b) => a - b));
      // Those of one byte, and of none, are begun anew.
      if (cuts.every((each) => Math.floor(each * size) > 1) && kept > 1) {
        const sent = registry.seen.filter(({ method }) => method === 'PATCH').map(({ headers }) => headers['content-range']?.split('-')[0]);
        expect(new Set(sent).size).toBe(sent.length);
      }
    }),
  );
}, 300_000);

test('a blob of several pieces that breaks off in its second', async () => {
  const content = Buffer.alloc(20 << 20, randomBytes(64));
  let times = 0;
  const { told } = await upload(content, { before: async (exchange) => exchange.seen.method === 'PATCH' && ++times === 2 && (await cut(exchange, 1_000_000)) });
  expect(told).toEqual([
    ['uploading', 16 << 20],
    ['uploading', (16 << 20) + 1_000_000],
    ['uploading', 20 << 20],
    ['done', 20 << 20],
  ]);
});

test('an empty blob, and one that is there', async () => {
  expect((await upload(Buffer.alloc(0), {})).told).toEqual([['done', 0]]);
  const content = Buffer.from('there');
  expect((await upload(content, {}, { prepare: (registry) => registry.put(content) })).told).toEqual([['present', 5]]);
});

describe('a mount', () => {
  const content = Buffer.from('mounted');
  const isMount = ({ url }: Exchange): boolean => url.searchParams.has('mount');
  /** The registry has the blob elsewhere: only the mount brings it here. */
  const elsewhere: Quirk = { answer: (answer, { seen }) => void (seen.method === 'HEAD' && Object.assign(answer, { status: 404 })) };

  test('saves the upload', async () => {
    const { told, registry } = await upload(content, elsewhere, { from: 'team/other', prepare: (each) => each.put(content) });
    expect(told).toEqual([['mounted', 7]]);
    expect(registry.seen.find(({ method }) => method === 'POST')?.url).toContain('from=team%2Fother');
  });

  test('that begins an upload instead is used for that', async () => {
    const { told, registry } = await upload(content, {}, { from: 'other' });
    expect(told.at(-1)).toEqual(['done', 7]);
    expect(registry.seen.filter(({ method }) => method === 'POST')).toHaveLength(1);
  });

  test.for([400, 401, 403, 404, 405, 500, 501, 202])('that is answered %s is followed by an upload', async (status) => {
    const quirk: Quirk = { answer: (answer, exchange) => void (isMount(exchange) && Object.assign(answer, { status, headers: {}, body: Buffer.from('no') })) };
    expect((await upload(content, quirk, { from: 'other' })).told.at(-1)).toEqual(['done', 7]);
  });

  test('that breaks off is followed by an upload', async () => {
    const quirk: Quirk = { before: (exchange) => isMount(exchange) && !exchange.response.destroy().writable };
    expect((await upload(content, quirk, { from: 'other' })).told.at(-1)).toEqual(['done', 7]);
  });
});
