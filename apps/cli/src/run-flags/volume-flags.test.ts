import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { csvFields } from './csv-fields.js';
import { requestedMounts } from './volume-flags.js';

const NONE = { volume: undefined, mount: undefined, tmpfs: undefined };

describe('comma-separated values', () => {
  test('come back as they were written', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: fc.constantFrom('a', ',', '"', '=', '/', '\n', ' ', ':') }), { minLength: 1 }), fc.boolean(), (fields, all) => {
        const quoted = fields.map((field) => (all || /[",\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field));
        expect(csvFields(quoted.join(','))).toEqual(fields);
      }),
    );
  });

  test.each(['"', '"a', 'a"b', '"a"b', 'a,"b', '""a'])('%s is none', (text) => {
    expect(csvFields(text)).toBeUndefined();
  });
});

describe('volumes', () => {
  const source = '/host';
  test.each([
    ['/host:/x', { readonly: false }],
    ['/host:/x:ro', { readonly: true }],
    ['/host:/x:z,ro,cached,rprivate,nocopy', { readonly: true }],
    ['/host:/x:rw,Z,delegated,private', { readonly: false }],
    ['/host:/x:consistent,rslave', { readonly: false, propagation: 'slave' }],
    ['/host:/x:slave', { readonly: false, propagation: 'slave' }],
    ['/host:/x:O', { readonly: false, overlay: true }],
    ['/host:/x:idmap', { readonly: false, idmap: true }],
  ])('-v %s', (text, options) => {
    expect(requestedMounts({ ...NONE, volume: [text] }).volumes).toEqual([{ source, destination: '/x', ...options }]);
  });

  test.each([
    ['type=bind,src=/host,dst=/x', { readonly: false }],
    ['TYPE=bind,source=/host,target=/x,ro', { readonly: true }],
    ['type=bind,src=/host,destination=/x,readonly=1,bind-propagation=rslave', { readonly: true, propagation: 'slave' }],
    ['type=bind,"src=/host",dst=/x,ro=false,bind-recursive=disabled', { readonly: false, recursive: false }],
    ['type=bind,src=/host,dst=/x,overlay,consistency=cached', { readonly: false, overlay: true }],
  ])('--mount %s', (text, options) => {
    expect(requestedMounts({ ...NONE, mount: [text] }).volumes).toEqual([{ source, destination: '/x', ...options }]);
  });

  test.each(['/host:/x:', '/host:', ':/x', '/host:/x:ro:', '/host::ro'])('-v %s has an empty part, and is refused', (text) => {
    expect(() => requestedMounts({ ...NONE, volume: [text] })).toThrow(`invalid volume '${text}'`);
  });

  test('a source of --mount may have colons and commas', () => {
    expect(requestedMounts({ ...NONE, mount: ['type=bind,"src=/a:b,c",dst=/x'] }).volumes).toMatchObject([{ source: '/a:b,c' }]);
  });

  test.each([
    ['type=volume,dst=/x,readonly', /type=volume does not support readonly/],
    ['dst=/x,overlay', /type=volume does not support overlay/],
    ['type=tmpfs,dst=/x,idmap', /type=tmpfs does not support idmap/],
    ['type=tmpfs,dst=/x,bind-propagation=rslave', /type=tmpfs does not support bind-propagation/],
    ['type=bind,src=/host,dst=/x,tmpfs-size=1m', /type=bind does not support tmpfs-size/],
    ['type=bind,src=/host,dst=/x,bind-recursive=readonly', /requires readonly/],
    ['type=constructor,dst=/x', /invalid type 'constructor'/],
  ])('--mount %s is not half heeded, but refused', (text, message) => {
    expect(() => requestedMounts({ ...NONE, mount: [text] })).toThrow(message);
  });

  test('a tmpfs says the same by both flags', () => {
    const byMount = requestedMounts({ ...NONE, mount: ['type=tmpfs,dst=/t,tmpfs-size=64m,tmpfs-mode=0770,ro'] }).tmpfs;
    expect(byMount).toEqual([{ destination: '/t', size: '67108864', mode: '0770', readonly: true }]);
    expect(requestedMounts({ ...NONE, tmpfs: ['/t:size=64m,mode=0770,ro'] }).tmpfs).toEqual([{ destination: '/t', size: '64m', mode: '0770', readonly: true }]);
  });

  test('no words are taken for others: each becomes one mount, or is refused with what to do', () => {
    const words = fc.array(fc.constantFrom('/host', '/x', 'name', './here', '', 'ro', 'z', 'U', 'shared', ',', 'rslave', '..', '/'), { maxLength: 5 });
    fc.assert(
      fc.property(words, fc.constantFrom(':', ','), (parts, by) => {
        try {
          const { volumes, tmpfs, anonymousVolumes } = requestedMounts({ ...NONE, volume: [parts.join(by)] });
          expect(volumes.length + tmpfs.length + anonymousVolumes.length).toBe(1);
          for (const each of volumes) expect([each.source, each.destination]).toEqual([expect.stringMatching(/^\//), expect.stringMatching(/^\/./)]);
        } catch (error) {
          expect(error).toMatchObject({ code: 'USAGE', hint: expect.stringMatching(/^Use |^Add |^Remove |^For |^Put |^See /) });
        }
      }),
    );
  });
});
