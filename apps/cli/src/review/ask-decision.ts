import { createInterface } from 'node:readline/promises';
import type { Readable } from 'node:stream';
import type { ContainerChange, StoredContainer } from '@lamella/engine';
import { ChangeTally } from '../changes/change-tally.js';
import { describeChange, describeTally, Grouping } from '../changes/describe-change.js';
import { withContents } from '../changes/with-contents.js';
import type { Out } from '../output/out.js';
import { type Printable, type Shown, styled, text } from '../output/printable.js';
import { SHOWN_LIMIT, showPatch } from '../patch/show-patch.js';

/** The decision about changes. */
export type Decision =
  | { readonly do: 'apply'; readonly changes: ReadonlySet<ContainerChange> }
  | { readonly do: 'discard' }
  /** `by` is the signal that interrupted the question. */
  | { readonly do: 'keep'; readonly by?: NodeJS.Signals };

/** Signals that end the review. */
const ENDING: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** The terminal of the review. */
export interface Terminal {
  readonly input: Readable;
  readonly output: Out;
}

const CHOICES = [
  '  y  apply all changes        n  discard all changes',
  '  k  keep them for later      d  show the differences',
  '  e  decide one by one        l  list the changes again',
];
const EACH = ['  y  apply this change      n  skip it      d  show the difference', '  a  apply it and all following ones   q  skip it and all following ones'];

/**
 * Lists changes and asks what to do with them, with all at once or one by one. The end of the input or a signal keeps
 * them.
 *
 * @param canApply whether they can be applied to the host
 */
export async function askDecision(
  container: StoredContainer,
  changes: readonly ContainerChange[],
  { input, output }: Terminal,
  canApply: boolean,
): Promise<Decision> {
  const say = (line: Shown): void => output.line(line);
  const list = (): void => output.lines(listChanges(changes));
  list();
  const asking = createInterface({ input, terminal: false });
  const answers = asking[Symbol.asyncIterator]();
  let by: NodeJS.Signals | undefined;
  let interrupt = (_: NodeJS.Signals): void => {};
  const interrupted = new Promise<undefined>((resolve) => {
    interrupt = (signal) => {
      by = signal;
      output.line('');
      resolve(undefined);
    };
  });
  for (const signal of ENDING) process.on(signal, interrupt);
  const ask = async (question: string): Promise<string | undefined> => {
    if (by) return undefined;
    output.prompt(styled('bold', question));
    const answer = await Promise.race([answers.next(), interrupted]);
    return answer === undefined || answer.done ? undefined : String(answer.value).trim().toLowerCase();
  };
  const keep = (): Decision => ({ do: 'keep', ...(by ? { by } : {}) });
  try {
    for (;;) {
      const answer = await ask(canApply ? 'Apply the changes? [y/n/k/d/e/l/?] ' : 'Keep the changes? [k/n/d/l/?] ');
      switch (answer) {
        case 'y':
        case 'yes':
          if (canApply) return { do: 'apply', changes: new Set(changes) };
          say('These changes cannot be applied to the host. Create an image of them: lamella commit');
          break;
        case 'n':
        case 'no':
          return { do: 'discard' };
        case undefined:
        case 'k':
          return keep();
        case 'd':
          await differences(container, changes, say);
          break;
        case 'e': {
          if (!canApply) break;
          const chosen = await eachOf(container, changes, ask, say);
          return chosen.size && !by ? { do: 'apply', changes: chosen } : keep();
        }
        case 'l':
          list();
          break;
        default:
          output.lines(CHOICES);
      }
    }
  } finally {
    asking.close();
    for (const signal of ENDING) process.off(signal, interrupt);
  }
}

/** Returns the lines of a list of changes, with the total at the end. */
export function listChanges(changes: readonly ContainerChange[]): Printable[] {
  const tally = new ChangeTally();
  const grouping = new Grouping();
  const lines = changes.flatMap((change) => {
    tally.add(change);
    return grouping.add(change);
  });
  return [...lines, ...grouping.end(), describeTally(tally)];
}

async function differences(container: StoredContainer, changes: readonly ContainerChange[], say: (line: Shown) => void): Promise<void> {
  for await (const [change, contents] of withContents(container, changes, SHOWN_LIMIT)) for (const line of await showPatch(change, contents)) say(line);
}

/** Groups changes that are decided together: an added or deleted directory with its content. */
function units(changes: readonly ContainerChange[]): ContainerChange[][] {
  const found: ContainerChange[][] = [];
  for (const change of changes) {
    const unit = found.at(-1);
    const top = unit?.[0];
    const whole = top && (top.kind === 'deleted' || top.kind === 'added' || top.aspects.includes('type'));
    if (unit && top && whole && change.view === top.view && change.path.startsWith(`${top.path}/`)) unit.push(change);
    else found.push([change]);
  }
  return found;
}

async function eachOf(
  container: StoredContainer,
  changes: readonly ContainerChange[],
  ask: (question: string) => Promise<string | undefined>,
  say: (line: Shown) => void,
): Promise<Set<ContainerChange>> {
  const chosen = new Set<ContainerChange>();
  const all = units(changes);
  for (const [i, unit] of all.entries()) {
    const [top] = unit;
    if (!top) continue;
    say(text`${describeChange(top)}${unit.length > 1 ? styled('dim', `  and ${unit.length - 1} below it`) : ''}`);
    for (let decided = false; !decided; ) {
      const answer = await ask(`(${i + 1}/${all.length}) Apply this change? [y/n/d/a/q/?] `);
      decided = true;
      switch (answer) {
        case 'y':
          for (const change of unit) chosen.add(change);
          break;
        case 'n':
          break;
        case 'a':
          for (const change of all.slice(i).flat()) chosen.add(change);
          return chosen;
        case undefined:
        case 'q':
          return chosen;
        case 'd':
          await differences(container, unit, say);
          decided = false;
          break;
        default:
          for (const line of EACH) say(line);
          decided = false;
      }
    }
  }
  return chosen;
}
