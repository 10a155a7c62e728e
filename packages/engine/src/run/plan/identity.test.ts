import { expect, test } from 'vitest';
import { checkUserNamespace, commandOf, environmentOf } from './identity.js';
import { existing, identityFor, requestFor } from './plan-request.test.cases.js';

const image = { env: ['PATH=/image', 'EMPTY', 'A=b=c'], entrypoint: ['/entry'], cmd: ['image-argument'] };

test.for([
  ['nothing given: entrypoint and command of the image', {}, ['/entry', 'image-argument']],
  ['arguments replace the command, not the entrypoint', { args: ['a', 'b'] }, ['/entry', 'a', 'b']],
  ['an entrypoint drops the command of the image', { entrypoint: ['sh'] }, ['sh']],
  ['an empty entrypoint removes it', { entrypoint: [], args: ['ls'] }, ['ls']],
  ['an empty list of arguments counts as none', { args: [] }, ['/entry', 'image-argument']],
] as const)('command: %s', ([, spec, expected]) => {
  expect(commandOf({ image: 'x', ...spec }, image)).toEqual(expected);
});

test('a container that starts needs a command, one that is only created does not', () => {
  const empty = { env: [], entrypoint: [], cmd: [] };
  expect(() => commandOf({ image: 'x' }, empty)).toThrow(expect.objectContaining({ code: 'NO_COMMAND' }));
  expect(commandOf({ image: 'x' }, empty, true)).toEqual([]);
});

test('variables of the spec replace those of the image, which replace the defaults', () => {
  const env = environmentOf({ env: { A: 'spec' } }, image, { home: '/home/me' }, 'box');
  expect(env).toEqual({ PATH: '/image', HOSTNAME: 'box', HOME: '/home/me', EMPTY: '', A: 'spec' });
  expect(environmentOf({ terminal: { rows: 1, columns: 1 } }, image, { home: '/' }, 'box')).toMatchObject({ TERM: 'xterm', A: 'b=c' });
});

test('with the view of the host the environment is the spec alone', () => {
  const host = { overlays: [], binds: [], hidden: [] };
  expect(environmentOf({ host, env: { ONLY: '1' } }, image, { home: '/' }, 'box')).toEqual({ ONLY: '1' });
});

test('a new container takes its name, an existing one keeps its id', () => {
  expect(identityFor(requestFor())).toMatchObject({ name: 'box', user: { uid: 0, gid: 0 }, args: ['true'], ids: undefined, userns: undefined });
  const again = existing({ ids: { uids: [{ inside: 0, outside: 1000, count: 10 }], gids: [{ inside: 0, outside: 1000, count: 10 }], idmapped: true } });
  const known = identityFor(requestFor({}, { life: { again } }));
  expect(known).toMatchObject({ id: again.id, ids: again.ids, directory: `/nowhere/store/containers/${again.id}` });
  expect(known.userns).toBeTypeOf('number');
});

test('the hostname is the id unless one is given', () => {
  const { id, hostname } = identityFor(requestFor());
  expect(hostname).toBe(id);
  expect(identityFor(requestFor({ hostname: 'web' })).hostname).toBe('web');
});

test('names that could be read as paths or options are refused', () => {
  for (const name of ['', '.', '-x', 'a/b', 'a b', 'x'.repeat(65)])
    expect(() => identityFor(requestFor({ name })), name).toThrow(expect.objectContaining({ code: 'NAME_INVALID' }));
});

test('a user namespace needs an id for its user, and no workspace', () => {
  const map = [{ inside: 0, outside: 100_000, count: 10 }];
  const ids = { uids: map, gids: map };
  const refused = expect.objectContaining({ code: 'USERNS_INVALID' });
  expect(() => checkUserNamespace({}, ids, { uid: 9, gid: 9 })).not.toThrow();
  expect(() => checkUserNamespace({}, ids, { uid: 10, gid: 0 })).toThrow(refused);
  expect(() => checkUserNamespace({}, ids, { uid: 0, gid: 10 })).toThrow(refused);
  expect(() => checkUserNamespace({ workspace: '/w' }, ids, { uid: 0, gid: 0 })).toThrow(refused);
  const volume = { source: '//', destination: '/x' };
  expect(() => checkUserNamespace({ volumes: [{ ...volume, overlay: true }] }, ids, { uid: 0, gid: 0 })).toThrow(refused);
  expect(() => checkUserNamespace({ volumes: [volume] }, ids, { uid: 0, gid: 0 })).not.toThrow();
});
