import { expect, test } from 'vitest';
import { confinement } from './confinement-flags.js';
import { csvFields } from './csv-fields.js';
import { lifecycle } from './lifecycle-flags.js';
import type { RunFlags } from './run-flags.js';
import { environment, workdir } from './run-spec.js';
import { parseUserns } from './userns-flag.js';

test.each([
  ['a,b', ['a', 'b']],
  ['', ['']],
  ['a,', ['a', '']],
  ['"a,b",c', ['a,b', 'c']],
  ['"a""b"', ['a"b']],
])('the fields of %s', (text, fields) => {
  expect(csvFields(text)).toEqual(fields);
});

test.each(['"a', 'a"b', '"a"b'])('quotes in %s are refused', (text) => {
  expect(csvFields(text)).toBeUndefined();
});

test.each([
  ['host', 'host'],
  ['keep-id', 'keep-id'],
  ['auto', { mode: 'auto' }],
  ['auto:size=5', { mode: 'auto', size: 5 }],
  ['1:2:3', { mode: 'range', uid: 1, gid: 2, size: 3 }],
])('--userns %s', (text, value) => {
  expect(parseUserns(text)).toEqual(value);
});

test.each(['', 'auto:5', '1:2', 'a:b:c', 'auto:size='])("--userns '%s' is refused", (text) => {
  expect(() => parseUserns(text)).toThrow(`invalid user namespace '${text}'`);
});

test('variables: the last value counts, and one without a value is the caller’s', () => {
  process.env.LAMELLA_TEST_VALUE = 'mine';
  expect(environment([], ['A=1', 'A=2', 'B=', 'LAMELLA_TEST_VALUE', 'LAMELLA_TEST_NONE'])).toEqual({ A: '2', B: '', LAMELLA_TEST_VALUE: 'mine' });
  expect(() => environment([], ['=x'])).toThrow("invalid environment variable '=x'");
  expect(workdir('/x')).toBe('/x');
  expect(() => workdir('x')).toThrow("the working directory 'x' is not an absolute path");
});

const LIFE = { label: undefined, 'label-file': undefined, 'stop-signal': undefined, 'stop-timeout': undefined, restart: undefined, 'log-opt': undefined };

test.each([
  [{ label: ['a=1', 'b'] }, { labels: { a: '1', b: '' } }],
  [
    { 'stop-timeout': '-1', 'stop-signal': 'HUP' },
    { stopTimeout: -1, stopSignal: 'HUP' },
  ],
  [{ restart: 'on-failure:3' }, { restart: { policy: 'on-failure', limit: 3 } }],
  [{ restart: 'always' }, { restart: { policy: 'always' } }],
  [{ restart: '' }, { restart: { policy: 'no' } }],
  [{ 'log-opt': ['max-size=1m', 'max-file=3'] }, { logs: { maxSize: 1 << 20, maxFiles: 3 } }],
  [{ 'log-opt': ['max-size=-1'] }, { logs: { maxSize: 0 } }],
])('%j', (flags, spec) => {
  expect(lifecycle({ ...LIFE, ...flags })).toEqual(spec);
});

test.each([
  [{ label: ['=x'] }, "invalid label '=x'"],
  [{ 'stop-timeout': 'soon' }, "invalid value 'soon' for --stop-timeout"],
  [{ restart: 'sometimes' }, "invalid restart policy 'sometimes'"],
  [{ restart: 'always:3' }, "invalid restart policy 'always:3'"],
  [{ 'log-opt': ['max-file=0'] }, "invalid value '0' for max-file"],
  [{ 'log-opt': ['mode=x'] }, "invalid log option 'mode=x'"],
])('%j is refused', (flags, message) => {
  expect(() => lifecycle({ ...LIFE, ...flags })).toThrow(message);
});

const confined = (flags: Partial<RunFlags>) => confinement(flags as RunFlags);

test.each<[Partial<RunFlags>, object]>([
  [
    { 'cap-add': ['cap_net_admin', 'ALL'], 'cap-drop': ['KILL'] },
    { capAdd: ['NET_ADMIN', 'ALL'], capDrop: ['KILL'] },
  ],
  [{ memory: '512m', 'memory-swap': '-1' }, { resources: { memory: 512 << 20, memorySwap: -1 } }],
  [{ 'memory-swap': '-1' }, {}],
  [{ cpus: '1.5', 'pids-limit': '0' }, { resources: { cpus: 1.5, pidsLimit: -1 } }],
  [{ device: ['/dev/null:/dev/x:rwm'] }, { devices: [{ source: '/dev/null', destination: '/dev/x' }] }],
  [{ device: ['/dev/null:rw'] }, { devices: [{ source: '/dev/null' }] }],
  [{ 'security-opt': ['no-new-privileges=false', 'seccomp=unconfined'] }, { noNewPrivileges: false, seccomp: 'unconfined' }],
  [
    { ulimit: ['nofile=1:2', 'core=unlimited', 'nofile=3'] },
    {
      rlimits: [
        { name: 'nofile', soft: 3, hard: 3 },
        { name: 'core', soft: -1, hard: -1 },
      ],
    },
  ],
  [{ 'shm-size': '0' }, {}],
  [{ 'oom-score-adj': '-5' }, { oomScoreAdj: -5 }],
])('%j', async (flags, spec) => {
  expect(await confined(flags)).toEqual(spec);
});

test.each<[Partial<RunFlags>, string]>([
  [{ memory: 'much' }, "invalid size 'much'"],
  [{ cpus: 'all' }, "invalid value 'all' for --cpus"],
  [{ device: ['null'] }, "invalid device 'null'"],
  [{ device: ['/dev/null:r'] }, "the permissions 'r' of the device /dev/null are not supported"],
  [{ ulimit: ['nofile=2:1'] }, "the soft limit of 'nofile=2:1' exceeds the hard limit"],
  [{ 'security-opt': ['apparmor=x'] }, "invalid security option 'apparmor=x'"],
  [{ 'oom-score-adj': '1001' }, "invalid value '1001' for --oom-score-adj"],
])('%j is refused', async (flags, message) => {
  await expect(confined(flags)).rejects.toThrow(message);
});
