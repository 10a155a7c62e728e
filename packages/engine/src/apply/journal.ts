import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { absent } from '../absent.js';
import type { Source } from '../sources/source.js';
import type { Seen, Step } from './steps.js';

/** What is done to one directory of the host. Paths are absolute. */
export interface Part {
  readonly source: string;
  /** Holds the new objects (`new/N`) and the old ones (`old/N`), on the mount that the source is on. */
  readonly stage: string;
  readonly steps: readonly Step[];
  /** What the source is: an undo of a later day expects the same. */
  readonly given?: Source;
}

/** An apply, as it is written down before anything of the host is touched. */
export interface Journal {
  readonly version: 1;
  /** Of this apply alone. */
  readonly token: string;
  /** Of the container. */
  readonly id: string;
  /** ISO 8601. */
  readonly created: string;
  readonly parts: readonly Part[];
  /** It was taken back. */
  readonly undone?: boolean;
}

/**
 * What targets were when applies of a container, or their taking back, had written them: by the directory of the host,
 * and by name below it. There is nothing for what is gone.
 */
export type Known = Readonly<Record<string, Readonly<Record<string, Seen>>>>;

/**
 * Where applies are in a store. `applied/ID/` has, until the next apply to the same directory, `lock`, `journal`,
 * `known` and mostly the stages; and while they are made `plan`, the journal of what has not begun.
 * `applying/ID` holds the token of the apply that changes the host in this moment: with the journal of the same token it is to
 * be taken back after a crash, with another nothing was touched, and that journal without it is done.
 */
export const appliedOf = (root: string, id: string): string => path.join(root, 'applied', id);
export const journalOf = (root: string, id: string): string => path.join(appliedOf(root, id), 'journal');
export const planOf = (root: string, id: string): string => path.join(appliedOf(root, id), 'plan');
export const knownOf = (root: string, id: string): string => path.join(appliedOf(root, id), 'known');
export const applyLockOf = (root: string, id: string): string => path.join(appliedOf(root, id), 'lock');
export const applyingOf = (root: string, id: string): string => path.join(root, 'applying', id);

/** Ids of applies that are under way, or were. At once: every run pays for it, and mostly finds nothing. */
export function underWay(root: string): readonly string[] {
  return entries(path.join(root, 'applying'));
}

/** Ids of containers that were applied. */
export function applied(root: string): readonly string[] {
  return entries(path.join(root, 'applied'));
}

/** Which steps of an apply were begun, by what is left of them in the stages. */
export function begunSteps({ parts }: Journal): (part: Part, step: Step) => boolean {
  const left = new Map(parts.map((part) => [part, ['new', 'old'].map((name) => new Set(entries(path.join(part.stage, name))))]));
  return (part, step) => {
    const [fresh, old] = (left.get(part) ?? []).map((names) => names.has(String(step.n)));
    switch (step.do) {
      case 'put':
      case 'replace':
        return !fresh;
      case 'swap':
        return !fresh || old === true;
      default:
        // The metadata of a directory is saved in advance: all of them are given theirs.
        return old === true;
    }
  };
}

function entries(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    absent(error as NodeJS.ErrnoException);
    return [];
  }
}

export async function readJournal(root: string, id: string): Promise<Journal | undefined> {
  return parse<Journal>(await readFile(journalOf(root, id), 'utf8').catch(absent));
}

/** What was to be done when everything stopped. */
export async function readPlan(root: string, id: string): Promise<Journal | undefined> {
  return parse<Journal>(await readFile(planOf(root, id), 'utf8').catch(absent));
}

/** The token of the apply that is under way, or was. */
export async function readMark(root: string, id: string): Promise<string | undefined> {
  return readFile(applyingOf(root, id), 'utf8').catch(absent);
}

export async function readKnown(root: string, id: string): Promise<Known | undefined> {
  return parse<Known>(await readFile(knownOf(root, id), 'utf8').catch(absent));
}

/** A torn one is that of an apply which changed nothing yet. */
function parse<Content>(text: string | undefined): Content | undefined {
  try {
    return text === undefined ? undefined : (JSON.parse(text) as Content);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
