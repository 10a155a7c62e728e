import path from 'node:path';
import { explainFrontReport } from '@lamella/namespace';
import { becomeFront, canBecomeFront, type Filling, type FrontOptions, observedReads, type RunResult, readFrontReport } from '@lamella/syscall';
import { ContainerHandle } from '../lifecycle/container-handle.js';
import { type ExecPlan, type ExecSpec, explainExecFailure } from '../lifecycle/exec.js';
import { removeContainer } from '../lifecycle/remove.js';
import type { RunOptions } from '../model/run-options.js';
import type { RunSpec } from '../model/run-spec.js';
import type { Source } from '../model/source.js';
import { RUN_SPEC, read, readRunOptions } from '../options/option-shapes.js';
import { requestPlan } from '../run/decide.js';
import { explainFailure } from '../run/explain-failure.js';
import { type Plan, plan } from '../run/plan/plan.js';
import type { PlanRequest } from '../run/plan/plan-request.js';
import { prepareStore } from '../run/prepare-store.js';
import { readConfig } from '../store/config-file.js';
import { defaultRoot } from '../store/default-root.js';
import { nameLinkOf } from '../store/names.js';
import { type FrontCommand, type RecordOptions, recordFront } from './record-front.js';

/** What explains the failures of a program. */
interface Context {
  readonly args: readonly string[];
  readonly run?: Pick<Plan, 'id' | 'directory' | 'stack' | 'others'> & { readonly sources: { readonly container: string; readonly now: [string, Source][] } };
  readonly exec?: { readonly id: string; readonly cwd: string };
  /** Absolute path of the store, of a detached container: one that never began is removed. */
  readonly root?: string;
  /** The context of the caller that explains. */
  readonly own: string;
}

/**
 * Lets this process become what waits for a container: a program of some kilobytes that passes on signals, and ends with the container's
 * status. For a command line, which has nothing else to do. Returns only where that is not possible, and nothing was made.
 *
 * A container with a name, a workspace, or an upper that is kept needs a larger program to wait for it.
 *
 * @param front `context` is for {@link explainBecome}; `title` makes the title from the words of the command; `left` says what to tell who
 * leaves the terminal of a container with this id; `record` asks for a record of this run ({@link recordFront})
 * @throws what {@link createContainer} throws before anything is made
 */
export async function becomeContainer(asked: RunSpec, given: RunOptions, front: ContainerFrontOptions): Promise<void> {
  if (!canBecomeFront()) return;
  const [spec, options] = [read('becomeContainer(spec)', asked, RUN_SPEC), readRunOptions('becomeContainer(spec, options)', given)];
  if (spec.name !== undefined || spec.workspace !== undefined || spec.keep) return;
  const root = spec.root ?? defaultRoot();
  await prepareStore(root, spec);
  await becomeFrontOf(await requestPlan(spec, options, root), front);
}

/**
 * The same for a detached container: the front prints its id when its command has begun, and ends.
 *
 * @param front `started` makes what is printed from the id
 */
export async function becomeDetached(spec: RunSpec, options: RunOptions, root: string, { started, ...front }: DetachedFrontOptions): Promise<void> {
  if (!canBecomeFront()) return;
  await prepareStore(root, spec);
  // If the name is taken, Node finds out whether its container is gone.
  if (spec.name !== undefined) observedReads()?.object(nameLinkOf(`${root}/containers`, spec.name), false);
  await becomeFrontOf(await requestPlan(spec, options, root, { detached: true }), { ...front, left: started, detached: true });
}

async function becomeFrontOf(request: PlanRequest, { left, title, record, ...front }: ContainerFrontOptions): Promise<void> {
  const { root, fresh } = request;
  const { terminal, args = [] } = request.spec;
  const present = (asked: PlanRequest): FrontCommand => {
    const { id, directory, stack, others, args: command, program, sources } = plan(asked);
    const run = { id, directory, stack, others, sources: { ...sources, now: [...sources.now] } };
    const context: Context = { args: command, run, ...(front.detached ? { root } : {}), own: front.context };
    return { program, context: JSON.stringify(context), title: title(asked.spec.args ?? []), left: left(id) };
  };
  const made = present(request);
  if (record && fresh) {
    // The terminal of a detached container has its own size.
    const sized = front.detached ? undefined : terminal;
    const filling = { ...NO_SIZE, ...sized, id: fresh.id, name: fresh.name ?? '', created: fresh.created, words: args };
    const planWith = ({ id, name, created, words, rows, columns }: Filling): FrontCommand =>
      present({
        ...request,
        spec: { ...request.spec, args: words, ...(sized ? { terminal: { rows, columns } } : {}) },
        fresh: { id, name: fresh.name === undefined ? undefined : name, created },
      });
    await recordFront({ filling, made, planWith, explainer: [process.execPath, ...front.explainer], front, containers: `${root}/containers` }, record);
  }
  const { program, ...command } = made;
  becomeFront(program, { ...front, ...command });
}

const NO_SIZE = { rows: 0, columns: 0 };

export type ContainerFrontOptions = Omit<FrontOptions, 'left' | 'title'> & {
  readonly title: (args: readonly string[]) => string;
  readonly left: (id: string) => string;
  readonly record?: RecordOptions | undefined;
};

/** Options of another command in a container, which replaces this process. */
export type ExecFrontOptions = Omit<ContainerFrontOptions, 'left'>;
/** Options of the start of a detached container, which replaces this process. */
export type DetachedFrontOptions = Omit<ContainerFrontOptions, 'left'> & { readonly started: (id: string) => string };

/** The same for a command beside a container's init. `planWith` plans it for another spec, and for another time of its event. */
export async function becomeExec(
  { id, containers }: { readonly id: string; readonly containers: string },
  spec: ExecSpec,
  planWith: (spec: ExecSpec, now: Date) => Promise<ExecPlan>,
  { title, record, ...front }: ExecFrontOptions,
): Promise<void> {
  const present = async (asked: ExecSpec, now: Date): Promise<FrontCommand> => {
    const { program, cwd } = await planWith(asked, now);
    const context: Context = { args: asked.args, exec: { id, cwd }, own: front.context };
    return { program, context: JSON.stringify(context), title: title(asked.args), left: '' };
  };
  const now = new Date();
  const made = await present(spec, now);
  if (record) {
    const filling = { ...NO_SIZE, ...spec.terminal, id: NO_ID, name: '', created: now.toISOString(), words: spec.args };
    const planMarked = ({ words, created, rows, columns }: Filling): Promise<FrontCommand> =>
      present({ ...spec, args: words, ...(spec.terminal ? { terminal: { rows, columns } } : {}) }, new Date(created));
    await recordFront({ filling, made, planWith: planMarked, explainer: [process.execPath, ...front.explainer], front, containers }, record);
  }
  const { program, ...command } = made;
  becomeFront(program, { ...front, ...command });
}

/** No id is chosen for a command in an existing container. */
const NO_ID = '000000000000';

/**
 * In the process that explains what a front could not: what became of its container.
 *
 * @param waitStatus the word after the explainer's own
 * @returns what {@link becomeContainer} was given for it, and a function for the outcome, which throws what `result` of a {@link Container} rejects with
 */
export function explainBecome(waitStatus: string): { readonly context: string; readonly outcome: () => Promise<RunResult> } {
  const report = readFrontReport(waitStatus);
  const context = JSON.parse(report.context) as Context;
  return {
    context: context.own,
    async outcome() {
      try {
        return await explainFrontReport(report, context.args);
      } catch (error) {
        if (context.exec) throw explainExecFailure(error, context.exec.id, context.exec.cwd);
        if (!context.run) throw error;
        const { sources, ...run } = context.run;
        if (context.root !== undefined) await removeNeverBegun(context.root, run.id);
        throw await explainFailure(error, { ...run, sources: { ...sources, now: new Map(sources.now) } }, undefined);
      }
    },
  };
}

/** Removes a container whose command never began: nobody has use for it. */
async function removeNeverBegun(root: string, id: string): Promise<void> {
  const config = await readConfig(path.join(root, 'containers', id));
  // It has no checkpoints that could be left.
  if (config) await removeContainer(new ContainerHandle(root, config), false, async () => undefined);
}
