import { type Op, ownMountNamespace, type Program, slotAllocator } from '@lamella/syscall';
import { expect, test } from 'vitest';
import { assemble, type Phases } from './assembly.js';
import type { PlanRequest } from './plan-request.js';
import { identityFor, requestFor } from './plan-request.test.cases.js';

/** A phase that is one op, known by its path. */
const phase = (pathname: string): Program => [{ op: 'unlinkat', dirfd: -100, pathname, flags: 0 }];

function programOf(request: PlanRequest, monitorNamespace: boolean): Program {
  const [onExit] = phase('on exit');
  const phases = {
    identity: identityFor(request),
    network: { program: phase('network') },
    filesystem: { monitorNamespace, mountByFuse: phase('fuse'), mountRoot: phase('root'), mountedOnHost: request.spec.workspace !== undefined },
    limits: { group: { create: phase('cgroup') } },
    directories: { ofRoot: [], make: phase('directories') },
    claims: { claims: [], lockLayers: phase('layers'), onExit },
    record: phase('record'),
    supervision: phase('supervision'),
    process: phase('process'),
  } as unknown as Phases;
  return assemble(request, phases, slotAllocator());
}

function order(request: PlanRequest): string[] {
  const names = new Set(['network', 'fuse', 'root', 'cgroup', 'directories', 'layers', 'record', 'supervision', 'process', 'on exit']);
  const program = programOf(request, false) as readonly (Op & { readonly pathname?: string })[];
  return program.flatMap(({ pathname }) => (pathname !== undefined && names.has(pathname) ? [pathname] : []));
}

test('what releases the container is known before anything outside its directory is made, and the process comes last', () => {
  expect(order(requestFor())).toEqual(['on exit', 'layers', 'record', 'cgroup', 'directories', 'supervision', 'fuse', 'network', 'process']);
});

test('in a workspace the root is mounted on the host', () => {
  const source = {
    path: '/w',
    identity: { type: 0o040000, major: 0, minor: 1, inode: '2', birthSeconds: 0, birthNanoseconds: 0 },
  } as never;
  const request = requestFor({ workspace: '/w' }, { sources: { container: 'box', now: new Map([['/w', source]]) } });
  expect(order(request)).toEqual(['record', 'directories', 'on exit', 'supervision', 'cgroup', 'root', 'fuse', 'network', 'process']);
});

test('a monitor that mounts for the container first makes its mount namespace', () => {
  const request = requestFor();
  const [first, ...rest] = ownMountNamespace();
  expect(programOf(request, true).slice(0, rest.length + 1)).toEqual([first, ...rest]);
  expect(programOf(request, false)[0]).not.toEqual(first);
});
