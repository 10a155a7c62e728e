import fc from 'fast-check';
import { expect, test } from 'vitest';
import { escapePath, methodFor, optionString, overlayMount } from './index.js';

/** What the kernel's parser makes of an option string (fs/overlayfs/params.c): split at commas, then colons, unescape. */
function parse(options: string): { lowerdirs: string[]; rest: Map<string, string> } {
  const split = (text: string, separator: string): string[] => {
    const parts: string[] = [];
    let part = '';
    for (let i = 0; i < text.length; i++) {
      if (text[i] === '\\' && i + 1 < text.length) part += `\\${text[++i]}`;
      else if (text[i] === separator) {
        parts.push(part);
        part = '';
      } else part += text[i];
    }
    parts.push(part);
    return parts;
  };
  const plain = (text: string): string => text.replace(/\\(.)/gs, '$1');
  const rest = new Map<string, string>();
  let lowerdirs: string[] = [];
  for (const option of split(options, ',')) {
    const equals = option.indexOf('=');
    const [key, value] = equals < 0 ? [option, ''] : [option.slice(0, equals), option.slice(equals + 1)];
    if (key === 'lowerdir') lowerdirs = split(value, ':').map(plain);
    else rest.set(key, plain(value));
  }
  return { lowerdirs, rest };
}

const path = fc.string({ unit: fc.constantFrom('a', '/', ':', ',', '\\', ' ', '\n', 'é', '=', '"'), minLength: 1, maxLength: 30 }).map((text) => `/${text}`);

test('any path survives the option string', () => {
  fc.assert(
    fc.property(fc.array(path, { minLength: 1, maxLength: 8 }), path, path, (lowerdirs, upperdir, workdir) => {
      const { lowerdirs: parsed, rest } = parse(optionString({ lowerdirs, upperdir, workdir, merged: '/m' }));
      expect(parsed).toEqual(lowerdirs);
      expect([rest.get('upperdir'), rest.get('workdir')]).toEqual([upperdir, workdir]);
    }),
  );
});

test('comma, colon and backslash are escaped, nothing else', () => {
  expect(escapePath('/a b/c:d,e\\f"g=h')).toBe('/a b/c\\:d\\,e\\\\f"g=h');
});

test('every option is said as the kernel wants it', () => {
  const options = { userxattr: true, index: false, metacopy: true, redirect_dir: 'on', xino: 'auto', volatile: true } as const;
  expect(optionString({ lowerdirs: ['/l'], merged: '/m', options })).toBe('lowerdir=/l,userxattr,index=off,metacopy=on,redirect_dir=on,xino=auto,volatile');
});

test('the plainest method that can express a stack is taken', () => {
  const short = { lowerdirs: ['/l'], merged: '/m' };
  const long = { lowerdirs: Array.from({ length: 100 }, (_, i) => `/${'x'.repeat(60)}${i}`), merged: '/m' };
  expect([methodFor(short, { lowerdirPlus: true }), methodFor(long, { lowerdirPlus: true }), methodFor(long, { lowerdirPlus: false })]).toEqual([
    'mount',
    'lowerdir+',
    'descriptors',
  ]);
});

test.each([
  [{ lowerdirs: [], merged: '/m' }, 'OVERLAY_NO_LOWER'],
  [{ lowerdirs: Array.from({ length: 501 }, () => '/l'), merged: '/m' }, 'OVERLAY_TOO_MANY_LOWERS'],
  [{ lowerdirs: ['/l'], upperdir: '/u', merged: '/m' }, 'OVERLAY_NO_WORKDIR'],
  [{ lowerdirs: ['relative'], merged: '/m' }, 'OVERLAY_RELATIVE_PATH'],
])('a stack that cannot be is refused before anything happens: %#', (stack, code) => {
  expect(() => overlayMount(stack)).toThrow(expect.objectContaining({ code, hint: expect.any(String) }));
});
