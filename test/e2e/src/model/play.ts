/**
 * Plays random cases for some time, as the current user: `play.js DIRECTORY STORE SECONDS [SEED]`. Prints how many were played, or
 * the smallest that is not as it has to be, and ends with 1.
 */
import { spawnSync } from 'node:child_process';
import { sweep } from '@lamella/engine';
import fc from 'fast-check';
import { NAMES, operations, type Rights } from './operation.js';
import { type Case, play, type Round, stageIn } from './round.js';

const [directory = '', store = '', seconds = '10', seed] = process.argv.slice(2);
const rights: Rights = { root: process.geteuid?.() === 0, attributes: spawnSync('setfacl', ['--version']).status === 0 };

const apart = cases([...NAMES.container], [...NAMES.host], [...NAMES.container, ...NAMES.host]).map((each) => ({ ...each, apart: true }));
const together = cases([...NAMES.both], [...NAMES.both], [...NAMES.both]);

function cases(inside: string[], host: string[], setup: string[]): fc.Arbitrary<Case> {
  const few = fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, { weight: 3, arbitrary: operations(host, rights, 3) });
  const round: fc.Arbitrary<Round> = fc.record({
    inside: operations(inside, rights, 8),
    between: few,
    way: fc.constantFrom('fail', 'fail', 'fail', 'ours', 'theirs'),
    undo: fc.boolean(),
    after: few,
    again: fc.boolean(),
  });
  return fc.record({
    setup: operations(setup, rights, 14),
    rounds: fc.array(round, { minLength: 1, maxLength: 3 }),
    apart: fc.constant(false),
  });
}

process.chdir(directory);
let played = 0;
const stage = stageIn(directory, store);
const property = fc.asyncProperty(fc.oneof({ weight: 1, arbitrary: apart }, { weight: 3, arbitrary: together }), async (each) => {
  await play(each, stage);
  played++;
});
const details = await fc.check(property, {
  numRuns: 1_000_000,
  interruptAfterTimeLimit: Number(seconds) * 1000,
  ...(seed === undefined ? {} : { seed: Number(seed) }),
});
await sweep(store);
if (details.failed && details.counterexample) {
  console.log(JSON.stringify(details.counterexample[0], undefined, 1));
  console.log(`${(details.errorInstance as Error | undefined)?.stack ?? ''}\nseed ${details.seed}, path ${details.counterexamplePath}`);
  process.exitCode = 1;
} else console.log(`${played} cases, seed ${details.seed}`);
