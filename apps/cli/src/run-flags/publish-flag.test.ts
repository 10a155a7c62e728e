import { expect, test } from 'vitest';
import { publishedPorts } from './publish-flag.js';

const ports = (...publish: string[]) => publishedPorts(publish, 'pasta').publish;

test.each([
  ['80', { hostPort: 80, containerPort: 80, protocol: 'tcp' }],
  ['8080:80', { hostPort: 8080, containerPort: 80, protocol: 'tcp' }],
  ['5353:53/udp', { hostPort: 5353, containerPort: 53, protocol: 'udp' }],
  ['127.0.0.1:8080:80', { address: '127.0.0.1', hostPort: 8080, containerPort: 80, protocol: 'tcp' }],
  ['[::1]:8080:80', { address: '::1', hostPort: 8080, containerPort: 80, protocol: 'tcp' }],
])('-p %s', (text, port) => {
  expect(ports(text)).toEqual([port]);
});

test('a range is as many ports, and duplicates count once', () => {
  expect(ports('8000-8002:80-82')?.map(({ hostPort, containerPort }) => [hostPort, containerPort])).toEqual([
    [8000, 80],
    [8001, 81],
    [8002, 82],
  ]);
  expect(ports('80', '80:80', '80:80/tcp')).toHaveLength(1);
});

test.each(['', '0', '65536', '80:', ':80', '8000-8002:80', '9-8', '80/sctp', '1.2.3:80:80', '256.0.0.1:80:80', 'a:b'])("-p '%s' is refused", (text) => {
  expect(() => ports(text)).toThrow(`invalid port '${text}'`);
});

test('ports need a network of their own', () => {
  expect(publishedPorts([], 'none')).toEqual({});
  expect(() => publishedPorts(['80'], 'none')).toThrow('--publish requires --network pasta');
  expect(() => publishedPorts(['80'], 'host')).toThrow('--publish cannot be used with --network host');
});
