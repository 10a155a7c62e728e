import { expect, test } from 'vitest';
import { enter, type ProcessSpec } from '../index.js';

const spec: ProcessSpec = { args: ['/bin/true'], rootfs: '/srv/rootfs' };

test.for([
  [{ ...spec, args: [] }, 'COMMAND_MISSING'],
  [{ ...spec, hostname: '' }, 'HOSTNAME_INVALID'],
  [{ ...spec, hostname: 'x'.repeat(65) }, 'HOSTNAME_INVALID'],
  [{ ...spec, rlimits: [{ name: 'nosuch', soft: 1, hard: 1 }] }, 'RLIMIT_UNKNOWN'],
  [{ ...spec, terminal: { rows: 1, columns: 1 }, mounts: [] }, 'TERMINAL_WITHOUT_DEVPTS'],
  [{ ...spec, mounts: [{ type: 'file', destination: '/x', content: '' }] }, 'FILE_WITHOUT_DEV'],
  [{ ...spec, cwd: 'relative' }, 'CWD_INVALID'],
  [{ ...spec, cwd: '' }, 'CWD_INVALID'],
  [{ ...spec, rootfs: '/' }, 'ROOTFS_INVALID'],
  [{ ...spec, rootfs: 'relative' }, 'ROOTFS_INVALID'],
] as const)('a spec that cannot be is refused before anything happens: %#', ([wrong, code]) => {
  expect(() => enter(wrong as ProcessSpec)).toThrow(expect.objectContaining({ code, hint: expect.any(String) }));
});

test('the root is pivoted, never changed by chroot, and propagation is private before the first mount', () => {
  const clone = enter(spec).find((op) => op.op === 'clone');
  const names = clone?.op === 'clone' ? clone.program.map((op) => op.op) : [];
  expect(names).toContain('pivot_root');
  expect(names).not.toContain('chroot');
  expect(names.indexOf('mount')).toBeLessThan(names.findIndex((name) => name === 'fsmount' || name === 'open_tree'));
});

test('a command without a slash is looked for in the PATH of the container', () => {
  const clone = enter({ ...spec, args: ['tool'], env: { PATH: '/a:/b' } }).find((op) => op.op === 'clone');
  const tried = clone?.op === 'clone' ? clone.program.flatMap((op) => (op.op === 'execve' ? [op.pathname] : [])) : [];
  expect(tried).toEqual(['/a/tool', '/b/tool']);
});
