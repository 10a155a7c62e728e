import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { type BlobSource, manifestImage } from './manifest-image.js';

const sha256 = (content: Uint8Array): string => `sha256:${createHash('sha256').update(content).digest('hex')}`;
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';
const AMD64 = { os: 'linux', architecture: 'amd64' };

/** Documents by their digests. */
class Documents implements BlobSource {
  readonly where = 'it';
  readonly all = new Map<string, Buffer>();
  readonly asked: string[] = [];

  put(document: unknown): { digest: string; size: number } {
    const content = Buffer.from(JSON.stringify(document));
    this.all.set(sha256(content), content);
    return { digest: sha256(content), size: content.length };
  }

  image(config: object): { mediaType: string; digest: string; size: number } {
    const of = { mediaType: 'application/vnd.oci.image.config.v1+json', ...this.put({ rootfs: { type: 'layers', diff_ids: [] }, ...config }) };
    return { mediaType: MANIFEST, ...this.put({ schemaVersion: 2, mediaType: MANIFEST, config: of, layers: [] }) };
  }

  async manifest({ digest, mediaType }: { digest: string; mediaType: string }): Promise<{ content: Buffer; mediaType: string }> {
    this.asked.push(digest);
    return { content: this.all.get(digest) as Buffer, mediaType };
  }

  async document({ digest }: { digest: string }): Promise<Buffer> {
    return this.all.get(digest) as Buffer;
  }

  async open(): Promise<Readable> {
    return Readable.from([]);
  }

  async choose(document: unknown, mediaType = '', platform = AMD64): Promise<unknown> {
    const image = await manifestImage({ content: Buffer.from(JSON.stringify(document)), mediaType }, this, platform);
    return JSON.parse(image.config.toString()).which;
  }
}

test('manifests that do not say what they are for are asked, after the others', async () => {
  const at = new Documents();
  const [arm, amd, other] = ['arm64', 'amd64', undefined].map((architecture) => at.image({ architecture, os: 'linux', which: architecture ?? 'none' }));
  expect(await at.choose({ manifests: [other, arm, amd] })).toBe('amd64');
  expect(
    await at.choose({
      manifests: [
        { ...arm, platform: null },
        { ...amd, platform: null },
      ],
    }),
  ).toBe('amd64');
  expect(await at.choose({ manifests: [amd, { ...arm, platform: { architecture: 'x86_64', os: null, variant: null } }] })).toBe('arm64');
  await expect(at.choose({ manifests: [other, arm] })).rejects.toMatchObject({ code: 'PLATFORM_MISSING', hint: expect.stringMatching(/does not say/) });
  expect(await at.choose({ manifests: [other] })).toBe('none');
});

test('indexes in an index are looked into', async () => {
  const at = new Documents();
  const [arm, amd] = ['arm64', 'amd64'].map((architecture) => ({
    ...at.image({ architecture, which: architecture }),
    platform: { os: 'linux', architecture },
  }));
  const [first, second] = [[arm], [amd]].map((manifests) => ({ mediaType: INDEX, ...at.put({ schemaVersion: 2, mediaType: INDEX, manifests }) }));
  expect(await at.choose({ manifests: [first, second] }, INDEX)).toBe('amd64');
  await expect(at.choose({ manifests: [first] }, INDEX)).rejects.toMatchObject({ code: 'PLATFORM_MISSING' });
});

test('chains of indexes, and crowds of manifests, have an end', async () => {
  const at = new Documents();
  let inner: { mediaType: string; digest: string; size: number } = at.image({ architecture: 'amd64' });
  for (let i = 0; i < 6; i++) inner = { mediaType: INDEX, ...at.put({ schemaVersion: 2, manifests: [inner] }) };
  await expect(at.choose({ manifests: [inner] })).rejects.toMatchObject({ code: 'SOURCE_INVALID' });
  const crowd = Array.from({ length: 200 }, (_, i) => at.image({ architecture: 's390x', i }));
  at.asked.length = 0;
  await expect(at.choose({ manifests: crowd })).rejects.toMatchObject({ code: 'SOURCE_INVALID' });
  expect(at.asked.length).toBeLessThan(100);
});

test.for([
  ['an index by its shape', { manifests: 'amd' }, '', 'amd64'],
  ['an index by its own type', { mediaType: INDEX, manifests: 'amd' }, 'text/plain', 'amd64'],
  ['an index of Docker', { manifests: 'amd' }, 'application/vnd.docker.distribution.manifest.list.v2+json', 'amd64'],
  ['nothing', { manifests: null }, INDEX, 'PLATFORM_MISSING'],
  ['both', { manifests: 'amd', layers: [], config: {} }, '', 'SOURCE_INVALID'],
  ['an index that is called a manifest', { manifests: 'amd' }, MANIFEST, 'SOURCE_INVALID'],
  ['a manifest that calls itself an index', { mediaType: INDEX, config: {}, layers: [] }, MANIFEST, 'SOURCE_INVALID'],
  ["Docker's first format", { schemaVersion: 1, fsLayers: [] }, 'application/json', 'MANIFEST_UNSUPPORTED'],
  ['something else', { mediaType: 'application/vnd.x' }, '', 'MANIFEST_UNSUPPORTED'],
] as const)('%s', async ([, document, mediaType, outcome]) => {
  const at = new Documents();
  const amd = { ...at.image({ architecture: 'amd64', which: 'amd64' }), platform: { os: 'linux', architecture: 'amd64' } };
  const whole = { ...document, ...('manifests' in document && document.manifests === 'amd' ? { manifests: [amd] } : {}) };
  const found = await at.choose(whole, mediaType).catch(({ code }: { code: string }) => code);
  expect(found).toBe(outcome);
});
