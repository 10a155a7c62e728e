import type { ContainerState, PublishedPort } from '@lamella/engine';
import { expect, test } from 'vitest';
import { formatPorts, hostBindings } from './format-ports.js';
import { formatStatus } from './format-status.js';

const NOW = new Date('2026-01-01T00:10:00Z');
const START = new Date('2026-01-01T00:05:00Z');
const status = (state: object): string => formatStatus(state as ContainerState, NOW);

test.each<[object, string]>([
  [{ status: 'created' }, 'Created'],
  [{ status: 'running', startedAt: START }, 'Up 5 minutes'],
  [{ status: 'paused', startedAt: START }, 'Up 5 minutes (Paused)'],
  [{ status: 'exited', exitCode: 3, finishedAt: START }, 'Exited (3) 5 minutes ago'],
  [{ status: 'exited', exitCode: 137, finishedAt: START, oomKilled: true }, 'Exited (137) 5 minutes ago, out of memory'],
  [{ status: 'restarting', exitCode: 1, finishedAt: START }, 'Restarting (1) 5 minutes ago'],
  [{ status: 'restarting', exitCode: 1 }, 'Restarting (1)'],
  [{ status: 'dead', reason: 'reboot' }, 'Dead (host restarted)'],
  [{ status: 'dead' }, 'Dead (monitor killed)'],
])('%j', (state, text) => {
  expect(status(state)).toBe(text);
});

const port = (more: Partial<PublishedPort>): PublishedPort => ({ hostPort: 8080, containerPort: 80, protocol: 'tcp', ...more });

test('ports are listed as Docker lists them', () => {
  expect(formatPorts([port({}), port({ address: '::1', protocol: 'udp' })])).toEqual(['0.0.0.0:8080->80/tcp', '[::]:8080->80/tcp', '[::1]:8080->80/udp']);
  expect(hostBindings(port({ address: '127.0.0.1' }))).toEqual([{ HostIp: '127.0.0.1', HostPort: '8080' }]);
});
