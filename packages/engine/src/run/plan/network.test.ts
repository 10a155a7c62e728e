import { slotAllocator } from '@lamella/syscall';
import { expect, test } from 'vitest';
import { checkPublish, planNetwork } from './network.js';
import { existing, identityFor, requestFor } from './plan-request.test.cases.js';

const publish = [{ host: 8080, container: 80 }] as never;

test('without an option the container is connected with nothing, and its monitor makes nothing for it', () => {
  const request = requestFor();
  expect(planNetwork(request, identityFor(request), slotAllocator())).toEqual({ kind: 'none', netns: undefined, program: [], needsMonitorNamespace: false });
});

test('ports are published by pasta only', () => {
  const refused = (hint: string): unknown => expect.objectContaining({ code: 'PUBLISH_INVALID', hint: expect.stringContaining(hint) });
  expect(() => checkPublish({ publish })).toThrow(refused('--network pasta'));
  expect(() => checkPublish({ publish, network: 'host' })).toThrow(refused('--publish'));
  expect(() => checkPublish({ publish, network: 'pasta' })).not.toThrow();
  expect(() => checkPublish({ publish: [], network: 'host' })).not.toThrow();
});

test('a command in an existing container may have another network than its published ports', () => {
  const spec = { publish, network: 'none' as const };
  const first = requestFor(spec);
  expect(() => planNetwork(first, identityFor(first), slotAllocator())).toThrow(expect.objectContaining({ code: 'PUBLISH_INVALID' }));
  const again = requestFor(spec, { life: { again: existing() } });
  expect(planNetwork(again, identityFor(again), slotAllocator()).kind).toBe('none');
});

test('pasta makes the only id root, so keep-id is refused with it', () => {
  const request = requestFor({ network: 'pasta' });
  const identity = { ...identityFor(request), keepsSingleId: true };
  expect(() => planNetwork(request, identity, slotAllocator())).toThrow(expect.objectContaining({ code: 'USERNS_INVALID' }));
});
