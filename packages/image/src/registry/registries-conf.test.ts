import { writeFileSync } from 'node:fs';
import { scratch } from '@lamella-test/scratch';
import { afterEach, expect, test } from 'vitest';
import { parseReference } from '../model/reference.js';
import { endpointsFor } from './registries-conf.js';

const before = process.env.CONTAINERS_REGISTRIES_CONF;
afterEach(() => {
  if (before === undefined) delete process.env.CONTAINERS_REGISTRIES_CONF;
  else process.env.CONTAINERS_REGISTRIES_CONF = before;
});

async function withConf(text: string, check: (find: (name: string) => string[]) => void): Promise<void> {
  await using at = scratch();
  process.env.CONTAINERS_REGISTRIES_CONF = at.join('registries.conf');
  writeFileSync(at.join('registries.conf'), text);
  check((name) => endpointsFor(parseReference(name)).map(({ domain, repository, tlsVerify }) => `${domain}/${repository}${tlsVerify ? '' : ' insecure'}`));
}

test('without a word about it, an image is where its name says', () => withConf('', (find) => expect(find('busybox')).toEqual(['docker.io/library/busybox'])));

test('mirrors come first, prefixes are rewritten, the longest counts', () =>
  withConf(
    `
[[registry]]
location = "docker.io"
[[registry.mirror]]
location = "mirror.local:5000/hub"
insecure = true
[[registry.mirror]]
location = "second.local"

[[registry]]
prefix = "docker.io/team"
location = "internal.local/team-images"

[[registry]]
prefix = "*.example.com"
location = "cache.local/example"
`,
    (find) => {
      expect(find('busybox')).toEqual(['mirror.local:5000/hub/library/busybox insecure', 'second.local/library/busybox', 'docker.io/library/busybox']);
      expect(find('team/app')).toEqual(['internal.local/team-images/app']);
      expect(find('teamwork/app')).toEqual(['mirror.local:5000/hub/teamwork/app insecure', 'second.local/teamwork/app', 'docker.io/teamwork/app']);
      expect(find('a.example.com/x/y')).toEqual(['cache.local/example/x/y']);
    },
  ));

test('short names may be aliases', () =>
  withConf('[aliases]\n"tools" = "quay.io/team/tools"\n', (find) => expect(find('tools:v1')).toEqual(['quay.io/team/tools'])));

test('what is blocked is refused, and a broken file is told', async () => {
  await withConf('[[registry]]\nlocation = "bad.local"\nblocked = true\n', (find) =>
    expect(() => find('bad.local/x')).toThrow(expect.objectContaining({ code: 'REGISTRY_BLOCKED' })),
  );
  for (const conf of ['location = "http://bad.local"\nprefix = "bad.local"', 'location = "bad.local"\n[[registry.mirror]]\nlocation = "https://mirror.local"'])
    await withConf(`[[registry]]\n${conf}\n`, (find) =>
      expect(() => find('bad.local/x')).toThrow(expect.objectContaining({ code: 'REGISTRIES_CONF', message: expect.stringContaining('has no scheme') })),
    );
  await withConf('[[registry', (find) => expect(() => find('x')).toThrow(expect.objectContaining({ code: 'REGISTRIES_CONF', hint: expect.any(String) })));
});
