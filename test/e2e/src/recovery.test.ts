import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { requiresRoot, type ScratchDirectory, scratch } from '@lamella-test/scratch';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { CLI, cli } from './cli.js';

/** Commands without the class LamellaCommand, because oclif does not parse their lines, with lines that open the store. */
const OWN_LINES: Readonly<Record<string, readonly string[]>> = {
  run: ['run', 'no-such-image', 'true'],
  create: ['create', 'no-such-image'],
  exec: ['exec', 'no-such-container', 'true'],
  try: ['try', '-n', 'true'],
};
/** Commands that look at no store: they print a script for a shell. */
const WITHOUT_STORE = ['autocomplete', 'autocomplete:bash', 'autocomplete:fish'];

interface CommandClass {
  readonly prototype: object;
}

let at: ScratchDirectory;
let root: string;
let commands: Readonly<Record<string, CommandClass>>;
let LamellaCommand: CommandClass;

beforeAll(async () => {
  at = scratch();
  root = at.join('store');
  const dist = path.join(path.dirname(CLI), '../dist');
  commands = ((await import(path.join(dist, 'commands.js'))) as { COMMANDS: Record<string, CommandClass> }).COMMANDS;
  LamellaCommand = ((await import(path.join(dist, 'command-classes/lamella-command.js'))) as { LamellaCommand: CommandClass }).LamellaCommand;
});
beforeEach((context) => requiresRoot(context));
afterAll(() => at[Symbol.asyncDispose]());

/** What an apply leaves that was killed before it touched anything. */
function interrupted(): string {
  const mark = path.join(root, 'applying/gone');
  mkdirSync(path.dirname(mark), { recursive: true });
  writeFileSync(mark, JSON.stringify({ token: 'gone', stages: [] }));
  return mark;
}

test('every command comes to the store in the one way that recovers first', () => {
  expect(Object.keys(commands).length).toBeGreaterThan(40);
  const others = Object.entries(commands)
    .filter(([, command]) => !(command.prototype instanceof (LamellaCommand as unknown as new () => object)))
    .map(([name]) => name);
  expect(others.toSorted()).toEqual([...Object.keys(OWN_LINES), ...WITHOUT_STORE].toSorted());
  // No command replaces the parser that recovers first.
  const overriding = Object.entries(commands).filter(([, command]) => Object.hasOwn(command.prototype, 'parse'));
  expect(overriding.map(([name]) => name)).toEqual([]);
});

test.each([...Object.values(OWN_LINES), ['ps'], ['images'], ['changes', 'no-such-container'], ['rm', 'no-such-container']])(
  'lamella %s %s recovers',
  (...words) => {
    const mark = interrupted();
    const { stderr } = cli(root)(words);
    expect(existsSync(mark), stderr).toBe(false);
  },
);
