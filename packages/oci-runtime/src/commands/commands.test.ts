import { expect, test } from 'vitest';
import { COMMANDS } from './commands.js';
import { parseInterval } from './events-command.js';
import { columns } from './inspection-commands.js';

const RUNC = 'checkpoint create delete events exec features kill list pause ps restore resume run spec start state update';

test('the commands are those of runc', () => {
  expect(Object.keys(COMMANDS).sort().join(' ')).toBe(RUNC);
});

test.each(Object.entries(COMMANDS))('%s has a short summary, and help for each flag', (_, { summary, flags }) => {
  expect(summary).toMatch(/^[A-Z][a-z]+ .*[^.]$/);
  expect(summary.length).toBeLessThanOrEqual(60);
  for (const { about } of Object.values(flags)) expect(about).toMatch(/^[A-Z].*[^.]$/);
});

test.each([
  ['5s', 5000],
  ['100ms', 100],
  ['1m30s', 90_000],
  ['2', 2000],
  ['0.5', 500],
  ['1h', 3_600_000],
])('an interval of %s has %i milliseconds', (text, milliseconds) => {
  expect(parseInterval(text)).toBe(milliseconds);
});

test.each(['', '0', 'soon', '-1s'])("an interval of '%s'", (text) => {
  if (text === '-1s') expect(parseInterval(text)).toBe(1000);
  else expect(() => parseInterval(text)).toThrow(`invalid value '${text}' for --interval`);
});

test('columns are aligned, without spaces at the end of a line', () => {
  expect(
    columns([
      ['ID', 'PID', 'OWNER'],
      ['one', '12345', ''],
    ]),
  ).toBe('ID   PID    OWNER\none  12345\n');
});
