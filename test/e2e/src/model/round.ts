import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Containers, type StoredContainer } from '@lamella/engine';
import { type Operation, scriptOf } from './operation.js';
import { areApart } from './touched.js';
import { differences, identitiesIn, type Looked, look, merge, type Tree } from './tree.js';

/** What happens to one tree between two states that are known. */
export interface Round {
  /** In the container, and natively in the copy. */
  readonly inside: readonly Operation[];
  /** On the host, between the container's end and the apply. */
  readonly between: readonly Operation[];
  readonly way: 'fail' | 'ours' | 'theirs';
  readonly undo: boolean;
  /** On the host, between the apply and its undoing. */
  readonly after: readonly Operation[];
  /** Go on in the same container, if the last round left nothing that it does not know. */
  readonly again: boolean;
}

export interface Case {
  readonly setup: readonly Operation[];
  readonly rounds: readonly Round[];
  /** Container and host use different names, so conflicts cannot occur. */
  readonly apart: boolean;
}

/** Where a case is played. All absolute. */
export interface Stage {
  readonly store: string;
  /** What the container sees and the apply writes to. */
  readonly project: string;
  /** Where the same is done natively. */
  readonly copy: string;
  /** A file for scripts. */
  readonly script: string;
}

/** What the kernel calls now: a file's time may be a timer tick older than the clock. */
const TICK = 12;

/** Play a case. @throws Error that lists the differences from the expected tree */
export async function play({ setup, rounds, apart }: Case, stage: Stage): Promise<void> {
  const { project, copy } = stage;
  const began = Math.floor(Date.now() / 1000) - 1;
  for (const directory of [project, copy]) {
    removed(directory);
    mkdirSync(directory);
  }
  native(stage, project, setup);
  spawnSync('find', ['.', '-exec', 'touch', '-hcm', '-d', '@1000000000', '{}', '+'], { cwd: project });
  let container: StoredContainer | undefined;
  let originals: ReadonlyMap<string, string> = new Map();
  for (const [i, round] of rounds.entries()) {
    if (!round.again) container = await forget(container);
    if (!container) {
      copied(project, copy);
      originals = await identitiesIn(copy);
    }
    const played = await playOne(round, { stage, began, apart, container, originals, number: i });
    container = played;
  }
  await forget(container);
}

interface Played {
  readonly stage: Stage;
  readonly began: number;
  readonly apart: boolean;
  readonly container: StoredContainer | undefined;
  /** Which objects the copy had when the container was made. */
  readonly originals: ReadonlyMap<string, string>;
  readonly number: number;
}

/** @returns the container, if its record covers all changes of the tree */
async function playOne(round: Round, { stage, began, apart, container: before, originals, number }: Played): Promise<StoredContainer | undefined> {
  const { project, copy } = stage;
  const base = await look(project, began);
  native(stage, copy, round.inside);
  const native_ = await look(copy, began);
  const replaced = new Set([...(await identitiesIn(copy))].filter(([name, identity]) => originals.get(name) !== identity).map(([name]) => name));
  await sleep(TICK);
  const container = await inside(stage, round.inside, before);
  await sleep(TICK);
  native(stage, project, round.between);
  const host = await look(project, began);
  await sleep(TICK);
  const broken = brokenLinks(base, native_);
  const fail = (what: string, lines: readonly string[] = []): never => {
    throw new Error(`round ${number}: ${what}${lines.map((line) => `\n  ${line}`).join('')}`);
  };
  let conflicts: readonly string[] = [];
  let applied = false;
  let nothing = false;
  try {
    const result = await container.apply({ onConflict: round.way });
    conflicts = result.conflicts.map((each) => each.name);
    applied = true;
    nothing = !result.changes.length;
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    if (code === 'APPLY_NO_TARGET') fail('no target');
    if (code !== 'APPLY_CONFLICT') fail(`apply failed: ${code ?? ''} ${message}`);
    if (round.way !== 'fail') fail(`--${round.way} met a conflict: ${message}`);
    // One that goes on has changes of earlier rounds, too: what an apply put there and the host took away is one.
    const isSure = apart || !round.between.length || (!before && areApart(round.inside, round.between, [base, native_, host]));
    if (isSure) fail(`a conflict that is none: ${message}`);
  }
  const found = await look(project, began);
  if (!applied) {
    const lines = differences(host.tree, found.tree);
    if (lines.length) fail('a refused apply changed something', lines);
    await forget(container);
    return undefined;
  }
  const lines = verdict(round.way, { base: base.tree, native: native_.tree, host: host.tree, found: found.tree, conflicts, broken, replaced });
  if (lines.length) fail(`after apply (${round.way})`, lines);
  if (round.way === 'fail') {
    const groups = brokenGroups(base, native_, found, broken);
    if (groups.length && !round.between.length) fail('what is one file natively is not after apply', groups);
  }
  // Where nothing was applied an undo would take back the apply before.
  if (!round.undo || nothing) {
    if (!round.between.length && round.way === 'fail' && !broken.size) return container;
    await forget(container);
    return undefined;
  }
  await sleep(TICK);
  native(stage, project, round.after);
  const later = await look(project, began);
  await sleep(TICK);
  const states = [base, native_, host, found, later];
  await undone({ stage, began, container, round, host: host.tree, applied: found.tree, later: later.tree, inside: round.inside, states, fail });
  if (!round.between.length && !round.after.length && round.way === 'fail' && !broken.size) return container;
  await forget(container);
  return undefined;
}

async function undone({
  stage,
  began,
  container,
  round,
  host,
  applied,
  later,
  inside,
  states,
  fail,
}: {
  readonly stage: Stage;
  readonly began: number;
  readonly container: StoredContainer;
  readonly round: Round;
  readonly host: Tree;
  readonly applied: Tree;
  readonly later: Tree;
  readonly inside: readonly Operation[];
  readonly states: readonly Looked[];
  readonly fail: (what: string, lines?: readonly string[]) => never;
}): Promise<void> {
  let refused: string | undefined;
  try {
    await new Containers(stage.store).undoApply(container.id);
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    // Nothing was to be done, and so there is nothing to be undone.
    if (code === 'UNDO_NOTHING' && !differences(host, applied).length) return;
    if (code !== 'UNDO_CONFLICT') fail(`undo failed: ${code ?? ''} ${message}`);
    refused = message;
  }
  const { tree: found } = await look(stage.project, began);
  if (refused !== undefined) {
    if (!round.after.length || areApart(inside, round.after, states)) fail(`an undo that was refused: ${refused}`);
    const lines = differences(later, found);
    if (lines.length) fail('a refused undo changed something', lines);
    return;
  }
  const expected = merge(applied, host, later);
  if (!expected) return fail('an undo that is none: the host changed the same names since', differences(applied, later));
  const lines = differences(expected, found);
  if (lines.length) fail('after undo', lines);
}

/** What is not as it has to be after an apply. */
function verdict(
  way: Round['way'],
  {
    base,
    native: ours,
    host,
    found,
    conflicts,
    broken,
    replaced,
  }: {
    readonly base: Tree;
    readonly native: Tree;
    readonly host: Tree;
    readonly found: Tree;
    readonly conflicts: readonly string[];
    readonly broken: ReadonlySet<string>;
    readonly replaced: ReadonlySet<string>;
  },
): string[] {
  const isLeft = (name: string): boolean => broken.has(name);
  if (way === 'fail') {
    const expected = merge(base, ours, host, replaced);
    return expected ? differences(expected, found, isLeft) : ['a conflict was not named', ...differences(base, host), 'is what the host did'];
  }
  const names = [...new Set([...base.keys(), ...ours.keys(), ...host.keys(), ...found.keys()])].toSorted();
  const wrong = (name: string, why: string, expected: string | undefined): string[] => [
    `${JSON.stringify(name)}: ${why}; expected ${expected ?? 'nothing'}, found ${found.get(name) ?? 'nothing'}`,
  ];
  const within = (name: string): boolean => conflicts.some((each) => name === each || name.startsWith(`${each}/`));
  return names
    .filter((name) => !isLeft(name))
    .flatMap((name) => {
      const [was, our, their, now] = [base.get(name), ours.get(name), host.get(name), found.get(name)];
      if (way === 'theirs') {
        if (within(name)) return now === their ? [] : wrong(name, 'it was said to be left', their);
        // A directory that the host took away, and the container made anew for what it put there, is nobody's loss.
        const isMadeAnew = their === undefined && now === our && now?.startsWith('directory ');
        if (their !== was && our !== their && now !== their && !isMadeAnew) return wrong(name, 'the host had changed it', their);
        return now === their || now === our ? [] : wrong(name, 'it is neither of both', our);
      }
      // What the host made in a directory that is gone goes with it.
      const goes = now === undefined && their !== undefined && isGone(ours, name);
      return now === our || (now === their && our === was) || goes ? [] : wrong(name, 'ours did not win', our);
    });
}

/** Whether a directory above a name is none: it was removed, or something else took its place. */
function isGone(tree: Tree, name: string): boolean {
  for (let slash = name.lastIndexOf('/'); slash > 0; slash = name.lastIndexOf('/', slash - 1))
    if (!tree.get(name.slice(0, slash))?.startsWith('directory ')) return true;
  return false;
}

/**
 * Names of files with several names that were changed in place inside. Overlayfs copies the one that was written to, so that it
 * is a file by itself: natively all of them change.
 */
function brokenLinks(base: Looked, after: Looked): ReadonlySet<string> {
  const names = new Set<string>();
  for (const [name, others] of base.linked) {
    if (after.tree.get(name) === base.tree.get(name) && others.every((other) => after.tree.get(other) === base.tree.get(other))) continue;
    for (const each of [name, ...others]) {
      names.add(each);
      for (const other of after.linked.get(each) ?? []) names.add(other);
    }
    // They may have been moved: wherever the same content is now.
    for (const [other, line] of after.tree) if (base.tree.get(other) !== line && after.linked.has(other)) names.add(other);
  }
  return names;
}

/** Files that have several names natively, all of them new, and not in the tree. */
function brokenGroups(base: Looked, native_: Looked, found: Looked, broken: ReadonlySet<string>): string[] {
  return [...native_.linked].flatMap(([name, others]) => {
    if ([name, ...others].some((each) => broken.has(each) || base.tree.has(each))) return [];
    const there = found.linked.get(name) ?? [];
    return others.every((other) => there.includes(other)) ? [] : [`${JSON.stringify(name)} is ${others.join()} natively, and ${there.join() || 'alone'}`];
  });
}

/** Run a script natively. */
function native({ script }: Stage, directory: string, some: readonly Operation[]): void {
  if (!some.length) return;
  writeFileSync(script, scriptOf(some));
  const { status, error } = spawnSync('sh', [script], { cwd: directory, stdio: 'ignore', timeout: 20_000 });
  if (status !== 0) throw new Error(`the script of the test failed natively: ${error?.message ?? status}`);
}

/** The same in a container. */
async function inside({ store, project, script }: Stage, some: readonly Operation[], before: StoredContainer | undefined): Promise<StoredContainer> {
  writeFileSync(script, scriptOf(some));
  const containers = new Containers(store);
  const spec = { args: ['sh', script], cwd: project, network: 'none' } as const;
  const running = before ? await before.run(spec) : await containers.try(spec);
  const { exitCode, stderr } = await running.result;
  if (exitCode !== 0) throw new Error(`the script of the test failed inside with ${exitCode}: ${String(stderr)}`);
  return before ?? containers.get(running.id);
}

/** Remove a tree, directories in which their owner may remove nothing, too. */
function removed(directory: string): void {
  spawnSync('chmod', ['-R', 'u+rwX', directory], { stdio: 'ignore' });
  rmSync(directory, { recursive: true, force: true });
}

function copied(from: string, to: string): void {
  removed(to);
  const { status } = spawnSync('cp', ['-aT', from, to]);
  if (status !== 0) throw new Error(`cp failed with ${status}`);
}

async function forget(container: StoredContainer | undefined): Promise<undefined> {
  await container?.remove();
  return undefined;
}

/** Where a case is played, in a directory. */
export function stageIn(directory: string, store: string): Stage {
  const at = (name: string): string => path.join(directory, name);
  return { store, project: at('project'), copy: at('copy'), script: at('script') };
}
