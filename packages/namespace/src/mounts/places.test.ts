import { flatten, type Op } from '@lamella/syscall';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DEFAULT_MOUNTS, enter, type Mount } from '../index.js';
import { confiningPlaceOf, confiningPlaces, landingOf, normalizedPath, PROC_FILES } from './places.js';

const places = confiningPlaces(DEFAULT_MOUNTS);
const landing = (mount: Mount) => landingOf(mount, [...DEFAULT_MOUNTS, mount], places);
const bind = (destination: string): Mount => ({ type: 'bind', source: '/x', destination, directory: true });
const part = fc.constantFrom('proc', 'sys', 'dev', 'shm', 'self', 'uptime', 'kernel', 'a', '.', '..', '', '...', 'process');
const written = fc.array(part, { maxLength: 7 }).map((parts) => `/${parts.join('/')}`);

describe('wherever a mount is asked for, in whatever words', () => {
  test('it gets at or below what confines by its exact path, below /proc by a list, and never over the root', () => {
    fc.assert(
      fc.property(written, (destination) => {
        const at = normalizedPath(destination);
        expect(at).not.toMatch(/\/\/|\/\.\.?(?:\/|$)|.\/$/);
        const confined = ['/proc', '/sys', '/dev'].some((place) => at === place || at.startsWith(`${place}/`));
        expect(confiningPlaceOf(destination, places) !== undefined).toBe(confined);
        const allowed = at !== '/' && (!at.startsWith('/proc/') || PROC_FILES.has(at.slice('/proc/'.length)));
        if (allowed) expect(landing(bind(destination))).toEqual({ destination: at, exact: confined, ...(at === '/proc' ? { type: 0x9fa0 } : {}) });
        else expect(() => landing(bind(destination))).toThrow(expect.objectContaining({ code: 'MOUNT_REFUSED', hint: expect.any(String) }));
        const inProc = at === '/proc' || at.startsWith('/proc/');
        for (const mount of [
          { type: 'tmpfs', destination },
          { type: 'made', destination, program: [], mount: 9 },
        ] as const)
          if (at === '/' || inProc) expect(() => landing(mount)).toThrow(expect.objectContaining({ code: 'MOUNT_REFUSED' }));
          else expect(landing(mount)).toEqual({ destination: at, exact: confined });
        if (confined || at === '/') expect(() => landing({ type: 'own', destination })).toThrow(expect.objectContaining({ code: 'MOUNT_REFUSED' }));
      }),
    );
  });

  test('what confines is never behind a link, and masks come after all mounts and are checked', () => {
    fc.assert(
      fc.property(fc.array(written, { maxLength: 5 }), (destinations) => {
        const more = destinations.map(bind).filter((mount) => {
          const at = normalizedPath(mount.destination);
          return at !== '/' && !at.startsWith('/proc/');
        });
        const ops = flatten(enter({ rootfs: '/root', args: ['x'], mounts: [...DEFAULT_MOUNTS, ...more] }));
        const indexes = (fits: (op: Op) => boolean): number[] => ops.flatMap((op, i) => (fits(op) ? [i] : []));
        const landed = ops.flatMap((op) => (op.op === 'landed' ? [op] : []));
        for (const { destination } of DEFAULT_MOUNTS) expect(landed).toContainEqual(expect.objectContaining({ pathname: destination, exact: 1 }));
        // Every target is looked at before something is mounted there.
        const targets = indexes(({ op }) => op === 'mkpath').slice(0, -1);
        for (const i of targets) expect(ops[i + 1]).toMatchObject({ op: 'landed', fd: (ops[i] as { out?: number }).out });
        const covered = ops.flatMap((op) => (op.op === 'covered' ? [op] : []));
        expect(covered.map(({ pathname }) => pathname)).toEqual(expect.arrayContaining(['/proc/kcore', '/proc/sys', '/proc/sysrq-trigger', '/sys/firmware']));
        expect(covered.every(({ readonly }) => readonly === 1)).toBe(true);
        expect(Math.min(...indexes(({ op }) => op === 'covered'))).toBeGreaterThan(Math.max(...indexes(({ op }) => op === 'landed')));
      }),
      { numRuns: 50 },
    );
  });
});

test('an empty file may hide any file below /proc, and one with content the listed ones', () => {
  const file = (destination: string, content: string): Mount => ({ type: 'file', destination, content });
  expect(landing(file('/proc/version', ''))).toEqual({ destination: '/proc/version', exact: true });
  expect(landing(file('/proc/uptime', '1 1'))).toEqual({ destination: '/proc/uptime', exact: true });
  expect(() => landing(file('/proc/version', 'x'))).toThrow(expect.objectContaining({ code: 'MOUNT_REFUSED' }));
});

test('masks need no /dev, and follow /proc wherever it is', () => {
  const ops = flatten(enter({ rootfs: '/root', args: ['x'], mounts: [{ type: 'proc', destination: '/else/where/' }] }));
  const covered = ops.flatMap((op) => (op.op === 'covered' ? [op.pathname] : []));
  expect(covered).toContain('/else/where/kcore');
  expect(covered).toContain('/else/where/sys');
  expect(covered).not.toContain('/proc/sys');
});
