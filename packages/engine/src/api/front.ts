import { explainFrontReport } from '@lamella/namespace';
import { becomeFront, canBecomeFront, type FrontOptions, type RunResult, readFrontReport } from '@lamella/syscall';
import { type ExecPlan, explainExecFailure } from '../lifecycle/exec.js';
import type { RunOptions } from '../model/run-options.js';
import type { RunSpec } from '../model/run-spec.js';
import type { Source } from '../model/source.js';
import { RUN_SPEC, read, readRunOptions } from '../options/option-shapes.js';
import { requestPlan } from '../run/decide.js';
import { explainFailure } from '../run/explain-failure.js';
import { type Plan, plan } from '../run/plan/plan.js';
import type { PlanRequest } from '../run/plan/plan-request.js';
import { prepare } from '../run/prepare-store.js';
import { defaultRoot } from '../store/default-root.js';
import { type FrontCommand, type RecordOptions, recordRun } from './record-run.js';

/** What explains the failures of a program. */
interface Context {
  readonly args: readonly string[];
  readonly run?: Pick<Plan, 'id' | 'directory' | 'stack' | 'others'> & { readonly sources: { readonly container: string; readonly now: [string, Source][] } };
  readonly exec?: { readonly id: string; readonly cwd: string };
  /** Of whoever explains. */
  readonly own: string;
}

/**
 * Let this process become what waits for a container: a program of some kilobytes that passes on signals, and ends with the container's
 * status. For a command line, which has nothing else to do. Returns only where that is not possible, and nothing was made.
 *
 * A container with a name, a workspace, or an upper that is kept wants more of who waits for it.
 *
 * @param front `context` is for {@link explainBecome}; `title` makes the title from the words of the command; `left` says what to tell who
 * leaves the terminal of a container with this id; `record` asks for a record of this run ({@link recordRun})
 * @throws what {@link createContainer} throws before anything is made
 */
export async function becomeContainer(asked: RunSpec, given: RunOptions, { left, title, record, ...front }: ContainerFrontOptions): Promise<void> {
  if (!canBecomeFront()) return;
  const [spec, options] = [read('becomeContainer(spec)', asked, RUN_SPEC), readRunOptions('becomeContainer(spec, options)', given)];
  if (spec.name !== undefined || spec.workspace !== undefined || spec.keep) return;
  const root = spec.root ?? defaultRoot();
  await prepare(root, spec);
  const request = await requestPlan(spec, options, root);
  const present = (asked: PlanRequest): FrontCommand => {
    const { id, directory, stack, others, args, program, sources } = plan(asked);
    const context: Context = { args, run: { id, directory, stack, others, sources: { ...sources, now: [...sources.now] } }, own: front.context };
    return { program, context: JSON.stringify(context), title: title(asked.spec.args ?? []), left: left(id) };
  };
  const { program, ...command } = present(request);
  if (record) {
    const explainer = [process.execPath, ...front.explainer] as const;
    recordRun({ request, present, made: { program, ...command }, explainer, stdin: front.stdin }, record);
  }
  becomeFront(program, { ...front, ...command });
}

type ContainerFrontOptions = Omit<FrontOptions, 'left' | 'title'> & {
  readonly title: (args: readonly string[]) => string;
  readonly left: (id: string) => string;
  readonly record?: RecordOptions | undefined;
};

/** The same for a command beside a container's init. */
export function becomeExec({ program, cwd }: ExecPlan, id: string, args: readonly string[], front: FrontOptions): void {
  const context: Context = { args, exec: { id, cwd }, own: front.context };
  becomeFront(program, { ...front, context: JSON.stringify(context) });
}

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
        throw await explainFailure(error, { ...run, sources: { ...sources, now: new Map(sources.now) } }, undefined);
      }
    },
  };
}
