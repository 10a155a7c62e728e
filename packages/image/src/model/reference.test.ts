import { spawnSync } from 'node:child_process';
import { findProgram, scratch, skip } from '@lamella-test/scratch';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { familiarReference, formatReference, parseReference } from '../index.js';

const HEX = '0123456789abcdef'.repeat(4);

test.for([
  ['busybox', 'docker.io/library/busybox:latest', 'busybox'],
  ['busybox:1.36', 'docker.io/library/busybox:1.36', 'busybox'],
  ['team/tools', 'docker.io/team/tools:latest', 'team/tools'],
  ['docker.io/busybox', 'docker.io/library/busybox:latest', 'busybox'],
  ['docker.io/team/tools', 'docker.io/team/tools:latest', 'team/tools'],
  ['index.docker.io/busybox', 'docker.io/library/busybox:latest', 'busybox'],
  ['index.docker.io/library/busybox', 'docker.io/library/busybox:latest', 'busybox'],
  ['index.docker.io/team/tools:v1', 'docker.io/team/tools:v1', 'team/tools'],
  // Docker's library leaves this name as it is: the registry is the same, the repository is called otherwise.
  ['registry-1.docker.io/library/busybox', 'registry-1.docker.io/library/busybox:latest', 'registry-1.docker.io/library/busybox'],
  ['docker://quay.io/a', 'quay.io/a:latest', 'quay.io/a'],
  ['localhost/x', 'localhost/x:latest', 'localhost/x'],
  ['LOCALHOST/x', 'LOCALHOST/x:latest', 'LOCALHOST/x'],
  ['Team/x', 'Team/x:latest', 'Team/x'],
  ['localhost:5000/a/b:v1', 'localhost:5000/a/b:v1', 'localhost:5000/a/b'],
  ['host:5000/a', 'host:5000/a:latest', 'host:5000/a'],
  ['[::1]:5000/app:tag', '[::1]:5000/app:tag', '[::1]:5000/app'],
  ['[2001:DB8::1]/a/b', '[2001:DB8::1]/a/b:latest', '[2001:DB8::1]/a/b'],
  ['registry.example.com/a__b/c-d.e', 'registry.example.com/a__b/c-d.e:latest', 'registry.example.com/a__b/c-d.e'],
  [`app@sha256:${HEX}`, `docker.io/library/app@sha256:${HEX}`, 'app'],
  [`app:V1@sha256:${HEX}`, `docker.io/library/app:V1@sha256:${HEX}`, 'app'],
  [`h.io/${HEX}`, `h.io/${HEX}:latest`, `h.io/${HEX}`],
  [`docker.io/${'x'.repeat(247)}`, `docker.io/library/${'x'.repeat(247)}:latest`, 'x'.repeat(247)],
] as const)('%s is %s', ([text, whole, familiar]) => {
  const reference = parseReference(text);
  expect([formatReference(reference), familiarReference(reference).name]).toEqual([whole, familiar]);
  expect(parseReference(formatReference(reference))).toEqual(reference);
});

const REFUSED = [
  ...['', 'UPPER', 'a//b', '-a', 'a:', 'a:b:c', 'a b', 'a/../b', '.hidden', 'a:tag with space', 'é', `a:${'t'.repeat(129)}`, 'x'.repeat(256)],
  ...['[::1%eth0]:5000/app', '[fe80::1%25eth0]/a', '[::1/a', '::1/a', '[]:5000/a', '[::1]a/b', '[::g]/a', 'host:/a', 'host:port/a', 'under_score.io/a'],
  ...['docker.io/', 'docker.io//a', 'h.io/a/', '/a', 'h.io/Up', 'docker.io/Up', 'index.docker.io/Up', 'a.-b/c', '-a.io/c', 'a..io/c'],
  ...[HEX, 'a@', `a@sha256:${HEX.slice(1)}`, `a@sha256:${HEX.toUpperCase()}`, `a@md5:${HEX}`, `@sha256:${HEX}`, `a@sha256:${HEX}@sha256:${HEX}`],
  ...['x'.repeat(248), `h.io/${'x'.repeat(256)}`, 'a\n', 'a:b\n', 'a___b', 'a.-b', 'a--', 'http://h.io/a', 'a?b', 'a%2fb'],
];

test.for(REFUSED)("'%s' is refused", (text) => {
  expect(() => parseReference(text)).toThrow(expect.objectContaining({ code: 'REFERENCE_INVALID', hint: expect.any(String) }));
});

test('no host has such a port', () => {
  for (const port of ['0', '65536', '99999999999999999999'])
    expect(() => parseReference(`localhost:${port}/a`)).toThrow(expect.objectContaining({ message: expect.stringContaining('from 1 to 65535') }));
  expect(parseReference('localhost:65535/a').domain).toBe('localhost:65535');
});

test('any text is a reference or is refused', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 40 }), (text) => {
      try {
        expect(parseReference(formatReference(parseReference(text)))).toEqual(parseReference(text));
      } catch (error) {
        expect((error as { code: string }).code).toBe('REFERENCE_INVALID');
      }
    }),
  );
});

/**
 * The grammar at the head of github.com/distribution/reference's reference.go, rule by rule, and the splitting of
 * `docker.io` from its normalize.go: written down anew, as one expression over the whole name.
 */
function byGrammar(text: string): string | undefined {
  const alphaNumeric = '[a-z0-9]+';
  const component = `${alphaNumeric}(?:(?:[._]|__|[-]+)${alphaNumeric})*`;
  const domainComponent = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])';
  const domain = `(?:${domainComponent}(?:\\.${domainComponent})*|\\[(?:[a-fA-F0-9:]+)\\])(?::[0-9]+)?`;
  const whole = new RegExp(`^(${domain})/(${component}(?:/${component})*)(?::(\\w[\\w.-]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?$`);
  if (/^[a-f0-9]{64}$/.test(text)) return undefined;
  const [first = '', ...others] = text.split('/');
  const isDomain = others.length > 0 && (first === 'localhost' || first.includes('.') || first.includes(':') || first.toLowerCase() !== first);
  const host = !isDomain || first === 'index.docker.io' ? 'docker.io' : first;
  const rest = isDomain ? others.join('/') : text;
  const found = whole.exec(`${host}/${host === 'docker.io' && !rest.includes('/') ? 'library/' : ''}${rest}`);
  if (!found || (found[2] as string).length > 255) return undefined;
  const tag = found[3] ?? (found[4] ? undefined : 'latest');
  return `${found[1]}/${found[2]}${tag ? `:${tag}` : ''}${found[4] ? `@${found[4]}` : ''}`;
}

const piece = fc.oneof(
  fc.constantFrom('a', 'b1', 'x-y', 'x--y', 'x_y', 'x__y', 'x___y', 'x.y', 'x..y', 'A', 'aB', '-a', 'a-', 'library', 'docker.io', 'index.docker.io', ''),
  fc.constantFrom('localhost', 'h.io', 'H.io', '[::1]', '[::1%e]', '127.0.0.1', 'registry-1.docker.io', 'x'.repeat(128), 'é', HEX),
);
const name = fc
  .tuple(
    fc.array(fc.tuple(piece, fc.constantFrom('', '', '', ':5000', ':')), { minLength: 1, maxLength: 4 }),
    fc.constantFrom('', '', ':v1', ':', ':V_1.2-3', ':-v', `:${'t'.repeat(128)}`, `:${'t'.repeat(129)}`, ':a:b'),
    fc.constantFrom('', '', `@sha256:${HEX}`, `@sha256:${HEX.toUpperCase()}`, `@sha256:${HEX.slice(2)}`, '@', `@${HEX}`),
  )
  .map(([parts, tag, digest]) => parts.map(([text, port], i) => `${text}${i === 0 ? port : ''}`).join('/') + tag + digest);

function ours(text: string): string | undefined {
  try {
    return formatReference(parseReference(text));
  } catch (error) {
    expect((error as { code: string }).code).toBe('REFERENCE_INVALID');
    return undefined;
  }
}

test("names are those of Docker's grammar, in its normal form", () => {
  fc.assert(
    fc.property(name, (text) => {
      expect([text, ours(text)]).toEqual([text, byGrammar(text)]);
    }),
    { numRuns: 3000 },
  );
});

test('skopeo, with the library itself, takes and refuses the same names', async (context) => {
  const skopeo = findProgram('skopeo');
  if (!skopeo) return skip(context, 'skopeo is not installed');
  await using at = scratch();
  // The name of an archive's image is parsed before anything is read.
  const takes = (text: string): boolean => {
    const { stderr } = spawnSync(skopeo, ['copy', 'dir:/nonexistent', `docker-archive:${at.join('archive.tar')}:${text}`], { encoding: 'utf8' });
    expect(stderr).toMatch(/Invalid destination name|nonexistent\/manifest.json/);
    return !stderr.includes('Invalid destination name');
  };
  // A digest does not name an image in an archive. Older libraries have no IPv6 and no hosts in capitals, and count the host in the length.
  const unfit = (text: string): boolean => text === '' || text.length > 255 || /[@[]|^[^/.:]*[A-Z][^/.:]*\//.test(text);
  const drawn = fc.sample(name, process.env.LAMELLA_LONG ? 2000 : 25);
  for (const text of drawn.filter((each) => !unfit(each))) expect([text, ours(text) !== undefined]).toEqual([text, takes(text)]);
});
