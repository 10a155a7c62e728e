import { slotAllocator } from '@lamella/syscall';
import { expect, test } from 'vitest';
import { planLimits, resourcesOf } from './limits.js';
import { identityFor, requestFor } from './plan-request.test.cases.js';

test('processes are limited where that costs nothing, unless the spec says otherwise', () => {
  expect(resourcesOf({}, true)).toEqual({ pidsLimit: 2048 });
  expect(resourcesOf({ resources: { pidsLimit: 5 } }, true)).toEqual({ pidsLimit: 5 });
  expect(resourcesOf({ resources: { memory: 1024 } as never }, true)).toEqual({ pidsLimit: 2048, memory: 1024 });
  expect(resourcesOf({}, false)).toBeUndefined();
  expect(resourcesOf({ resources: {} }, false)).toBeUndefined();
});

test('cgroups of one container in two stores have different names', () => {
  const named = (root: string): string => {
    const request = requestFor({}, { root, life: { again: { id: 'abcdefabcdef' } as never } });
    return planLimits(request, identityFor(request), slotAllocator()).cgroup;
  };
  expect(named('/a')).toMatch(/^abcdefabcdef-[0-9a-f]{8}$/);
  expect(named('/a')).toBe(named('/a'));
  expect(named('/a')).not.toBe(named('/b'));
});
