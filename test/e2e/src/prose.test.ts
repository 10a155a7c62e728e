import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { skip } from '@lamella-test/scratch';
import { expect, test } from 'vitest';

const checkout = path.join(import.meta.dirname, '../../..');

/** What scripts/check-prose.mjs reports about a text. */
function check(name: string, input: string): { status: number | null; stdout: string } {
  return spawnSync(process.execPath, ['scripts/check-prose.mjs', '--stdin', name], { cwd: checkout, input, encoding: 'utf8' });
}

test.for([
  ['Who knows try of the shell finds `-y` here.', 'Users of the shell script try know `-y`.'],
  ['Each test has a container of its own.', 'Each test has its own container.'],
  ['What an archive is is found out by looking.', 'The archive format is detected.'],
  ['Whether it lives says the lock, and the kernel says no.', 'A container is running exactly while its lock is held.'],
  ['Nothing but for the log remains.', 'Only the log remains.'],
  ['The file is made, is written, is renamed and is removed.', 'Lamella makes the file, writes it, renames it and removes it.'],
  [`${'one word more '.repeat(11)}.`, `${'one word more '.repeat(9)}.`],
] as const)('the prose check refuses "%s" and accepts "%s"', ([before, after]) => {
  expect(check('a.md', `${before}\n`)).toMatchObject({ status: 1, stdout: expect.stringMatching(/^a\.md:1:/) });
  expect(check('a.md', `${after}\n`)).toMatchObject({ status: 0, stdout: '' });
});

test('the prose check reads comments, error messages and hints, but no code', () => {
  const source = [
    '/** The lock says who lives. */',
    'const who = "the lock says";',
    "throw make('LOCK_HELD', 'the lock says no', 'Ask whoever holds it.');",
    'return { summary: `the file says no` };',
  ].join('\n');
  const { stdout } = check('a.ts', source);
  expect(stdout.split('\n').map((line) => line.split(' ')[0])).toEqual(['a.ts:1:9', 'a.ts:3:30', 'a.ts:3:50', 'a.ts:4:24', '']);
  expect(check('a.c', '/* a record says so */ int main;').status).toBe(1);
});

test.for(['README.md', 'SECURITY.md', 'docs/changes.md', 'ARCHITECTURE.md', 'packages/engine/src/plan.ts'])(
  'the prose check refuses %s as it was before the rules',
  (file, context) => {
    const { status, stdout } = spawnSync('git', ['show', `51bd00e:${file}`], { cwd: checkout, encoding: 'utf8' });
    if (status !== 0) skip(context, 'this clone does not have the commit 51bd00e');
    expect(check(file, stdout).status).toBe(1);
  },
);
