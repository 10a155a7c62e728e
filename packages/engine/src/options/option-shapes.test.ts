import { expect, test } from 'vitest';
import { EXEC_OPTIONS, EXEC_SPEC } from '../api/container-option-shapes.js';
import type { ExecOptions, ExecSpec } from '../lifecycle/exec.js';
import type { RunSpec } from '../model/run-spec.js';
import { RUN_SPEC, read } from './option-shapes.js';

const INVALID = expect.objectContaining({ code: 'OPTION_INVALID' });

test.for<object>([
  { stopSignal: 'SIGNOPE' },
  { stopSignal: '0' },
  { shmSize: 'bogus' },
  { shmSize: '' },
  { tmpfs: [{ destination: '/t', mode: '99z' }] },
  { tmpfs: [{ destination: '/t', size: '1.5g' }] },
  { tmpfs: [{ destination: '/t', nrInodes: '5%' }] },
])('%o of a container is refused before it is made', (option) => {
  expect(() => read<RunSpec>('create(spec)', { image: 'none', ...option }, RUN_SPEC)).toThrow(INVALID);
});

test.for<object>([
  { stopSignal: 'term' },
  { stopSignal: 'RTMIN+3' },
  { stopSignal: '15' },
  { shmSize: '65536k' },
  { tmpfs: [{ destination: '/t', mode: '01777', size: '50%', nrInodes: '10k' }] },
])('%o of a container is taken', (option) => {
  expect(read<RunSpec>('create(spec)', { image: 'none', ...option }, RUN_SPEC)).toEqual({ image: 'none', ...option });
});

test.for<Record<string, string>>([{ 'A\0': 'x' }, { 'A=B': 'x' }, { A: 'x\0' }])('exec refuses the variables %o, as run does', (env) => {
  expect(() => read<ExecSpec>('exec(spec)', { args: ['true'], env }, EXEC_SPEC)).toThrow(INVALID);
  expect(() => read<RunSpec>('run(spec)', { image: 'none', env }, RUN_SPEC)).toThrow(INVALID);
});

test('exec refuses to tell that a command was stopped, which it cannot', () => {
  const options: ExecOptions = { onStopped: () => undefined } as object;
  expect(() => read<ExecOptions>('exec(spec, options)', options, EXEC_OPTIONS)).toThrow(expect.objectContaining({ code: 'OPTION_UNKNOWN' }));
});
