import { slotAllocator } from '@lamella/syscall';
import { scratch } from '@lamella-test/scratch';
import { expect, test } from 'vitest';
import { planDirectories } from './directories.js';
import { planFilesystem } from './filesystem.js';
import { planNetwork } from './network.js';
import type { PlanRequest } from './plan-request.js';
import { existing, identityFor, requestFor } from './plan-request.test.cases.js';

function planned(request: PlanRequest) {
  const identity = identityFor(request);
  const network = planNetwork(request, identity, slotAllocator());
  const filesystem = planFilesystem(request, identity, network, slotAllocator());
  return { identity, filesystem, directories: planDirectories(request, identity, filesystem) };
}

test('the root is an overlay in the container directory: changes above the skeleton, and the layers of the image between them', async () => {
  await using store = scratch();
  const lowers = { ...requestFor().lowers, trees: ['/layer/2', '/layer/1'] };
  const { identity, filesystem } = planned(requestFor({ keep: true }, { root: store.path, lowers, life: { again: existing() } }));
  const { stack, others, mountedOnHost, monitorNamespace } = filesystem;
  expect(stack).toMatchObject({ upperdir: `${identity.directory}/upper`, workdir: `${identity.directory}/work`, merged: `${identity.directory}/merged` });
  expect(stack.lowerdirs).toEqual(['/layer/2', '/layer/1', store.join('skeleton')]);
  expect({ others, mountedOnHost, monitorNamespace }).toEqual({ others: [], mountedOnHost: false, monitorNamespace: false });
});

test('checkpoints are layers above the image, the latest first', async () => {
  await using store = scratch();
  const { filesystem } = planned(requestFor({}, { root: store.path, life: { again: existing(), frozen: ['new', 'old'] } }));
  expect(filesystem.stack.lowerdirs.slice(0, 2).map((each) => each.split('/').at(-2))).toEqual(['new', 'old']);
});

test('only a kept upper directory has to reach the disk', async () => {
  await using store = scratch();
  const volatileOf = (keep: boolean): unknown => planned(requestFor({ keep }, { root: store.path })).filesystem.stack.options;
  expect(volatileOf(false)).toHaveProperty('volatile', true);
  expect(volatileOf(true)).not.toHaveProperty('volatile');
});

test('directories of an existing container may be there already, those of a new one may not', async () => {
  await using store = scratch();
  const ignored = (life: PlanRequest['life']): unknown[] => {
    const { directories } = planned(requestFor({}, { root: store.path, life }));
    return directories.make.map((op) => ('ignore' in op ? op.ignore : undefined));
  };
  expect(ignored({})).toEqual([undefined, undefined, undefined]);
  expect(ignored({ again: existing() })).toEqual([['EEXIST'], ['EEXIST'], ['EEXIST']]);
});
