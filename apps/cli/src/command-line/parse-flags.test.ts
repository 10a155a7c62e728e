import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { UsageError } from '../errors/usage-error.js';
import { parseCommand } from './parse-command.js';
import { asksForHelp, parseFlags } from './parse-flags.js';

const KNOWN = {
  env: { type: 'option', char: 'e', multiple: true },
  name: { type: 'option' },
  hostname: { type: 'option', char: 'h' },
  network: { type: 'option', aliases: ['net'] },
  rm: { type: 'boolean' },
  interactive: { type: 'boolean', char: 'i' },
  tty: { type: 'boolean', char: 't' },
  detach: { type: 'boolean', char: 'd' },
  stdin: { type: 'boolean', allowNo: true },
} as const;
const leading = { command: 'run', leading: true };

function given(argv: readonly string[]): unknown {
  const { flags, words } = parseFlags(argv, KNOWN, leading);
  return [Object.fromEntries(flags.map(({ name, value }) => [name, value])), ...words];
}

// What pflag makes of each was seen with docker create and docker inspect; docker.test.ts of test/conformance asks again.
test.each<[argv: string[], flags: object, ...words: string[]]>([
  [['--rm=true', 'img'], { rm: true }, 'img'],
  [['--rm', 'true'], { rm: true }, 'true'],
  [['-d=false', 'img'], { detach: false }, 'img'],
  [['-itd', 'img'], { interactive: true, tty: true, detach: true }, 'img'],
  [['-it=false', 'img'], { interactive: true, tty: false }, 'img'],
  [['-ite', 'A=1', 'img'], { interactive: true, tty: true, env: 'A=1' }, 'img'],
  [['-e=A', 'img'], { env: 'A' }, 'img'],
  [['-eA=1', 'img'], { env: 'A=1' }, 'img'],
  [['-e=', 'img'], { env: '=' }, 'img'],
  [['--name=', 'img'], { name: '' }, 'img'],
  [['--name', '', 'img'], { name: '' }, 'img'],
  [['--name', '--help', 'img'], { name: '--help' }, 'img'],
  [['--name=-x=y', 'img'], { name: '-x=y' }, 'img'],
  [['-h', 'box', 'img'], { hostname: 'box' }, 'img'],
  [['-hbox', 'img', '-h'], { hostname: 'box' }, 'img', '-h'],
  [['--net', 'host', 'img'], { network: 'host' }, 'img'],
  [['--no-stdin', 'img'], { stdin: false }, 'img'],
  [['--no-stdin=false', 'img'], { stdin: true }, 'img'],
  [['--', '-i'], {}, '-i'],
  [['-', '-i'], {}, '-', '-i'],
])('%j', (argv, flags, ...words) => {
  expect(given(argv)).toEqual([flags, ...words]);
});

test.each([
  [['--foo'], /^unknown flag: --foo$/],
  [['-itz', 'img'], /^unknown flag: -z in -itz$/],
  [['-h'], /^flag needs an argument: -h$/],
  [['--name'], /^flag needs an argument: --name$/],
  [['--rm=maybe', 'img'], /^invalid value 'maybe' for --rm: use true or false$/],
  [['---x'], /^bad flag syntax: ---x$/],
  [['--=x'], /^bad flag syntax: --=x$/],
  [['--constructor'], /^unknown flag: --constructor$/],
])('%j is refused', (argv, message) => {
  expect(() => parseFlags(argv, KNOWN, leading)).toThrow(expect.objectContaining({ code: 'USAGE', message: expect.stringMatching(message) }));
});

describe('a mistake is answered by meaning', () => {
  const hint = (flag: string): string => {
    try {
      parseFlags([flag], KNOWN, leading);
      return '';
    } catch (error) {
      return (error as UsageError).hint;
    }
  };
  test('with what to do in place of flags of Docker', () => {
    expect(hint('--dns')).toMatch(/resolv\.conf.*\nSee lamella run --help\.$/);
    expect(hint('-P')).toMatch(/-p HOST_PORT:PORT/);
  });
  test('with what was mistyped, where that is near', () => {
    expect(hint('--nmae')).toMatch(/Did you mean --name\?/);
    expect(hint('--hostnam')).toMatch(/Did you mean --hostname\?/);
    expect(hint('-rm')).toMatch(/Did you mean --rm\?/);
  });
  test('with nothing where nothing is near', () => {
    expect(hint('--xyz')).toBe('See lamella run --help.');
    expect(hint('--dnsx')).toBe('See lamella run --help.');
  });
});

test('help is asked for by a word of ours only', () => {
  const all = { command: 'ps', leading: false };
  expect(asksForHelp(['--help'], KNOWN, leading)).toBe(true);
  expect(asksForHelp(['-it', '--help', 'img'], KNOWN, leading)).toBe(true);
  expect(asksForHelp(['img', '--help'], KNOWN, leading)).toBe(false);
  expect(asksForHelp(['--name', '--help'], KNOWN, leading)).toBe(false);
  expect(asksForHelp(['-h', 'x'], KNOWN, leading)).toBe(false);
  expect(asksForHelp(['-h'], {}, all)).toBe(true);
  expect(asksForHelp(['a', '--help'], {}, all)).toBe(true);
  expect(asksForHelp(['--', '--help'], {}, all)).toBe(false);
});

test('whatever is written as values comes back as it was, in every form', async () => {
  const value = fc.string();
  await fc.assert(
    fc.asyncProperty(value, fc.array(value), fc.constantFrom('two', 'joined'), async (name, env, form) => {
      const words = form === 'two' ? ['--name', name, ...env.flatMap((each) => ['-e', each])] : [`--name=${name}`, ...env.map((each) => `--env=${each}`)];
      const { flags, words: rest } = await parseCommand([...words, 'img', '--name', 'x'], { command: 'run', flags: KNOWN, leading: true });
      expect(flags.name).toBe(name);
      expect(flags.env ?? []).toEqual(env);
      expect(rest).toEqual(['img', '--name', 'x']);
    }),
  );
});

test('options of a set, switches that contradict each other, and arguments are checked', async () => {
  const flags = {
    format: { type: 'option', options: ['a', 'b'], default: 'a' },
    all: { type: 'boolean', exclusive: ['stat'] },
    stat: { type: 'boolean' },
  } as const;
  const definition = { command: 'x', flags, args: { one: { required: true }, two: {} }, strict: true };
  expect(await parseCommand(['1', '--all', '--stat=false'], definition)).toMatchObject({
    flags: { format: 'a', all: true, stat: false },
    args: { one: '1', two: undefined },
  });
  for (const [argv, message] of [
    [[], /missing argument ONE/],
    [['1', '2', '3'], /unexpected argument '3'/],
    [['1', '--format=c'], /invalid value 'c' for --format/],
    [['1', '--all', '--stat'], /--all and --stat cannot be used together/],
  ] as const)
    await expect(parseCommand(argv, definition)).rejects.toThrow(message);
});
