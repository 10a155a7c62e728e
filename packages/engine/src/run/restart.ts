import type { StreamingOf } from '@lamella/namespace';
import { recover } from '../changes/apply/recover.js';
import type { Attached } from '../lifecycle/attach.js';
import { isOfWorkspace, isPaused } from '../lifecycle/container-errors.js';
import type { ContainerHandle } from '../lifecycle/container-handle.js';
import { type StopOptions, stopContainer } from '../lifecycle/stop.js';
import { waitForMonitor } from '../lifecycle/wait.js';
import type { RerunSpec } from '../model/rerun-spec.js';
import type { RunOptions } from '../model/run-options.js';
import type { RunSpec } from '../model/run-spec.js';
import { withInit } from '../options/option-shapes.js';
import { checkAgain, decide } from './decide.js';
import { definedIn } from './defined-variables.js';
import { launchDetached } from './launch-detached.js';
import { prepareStore } from './prepare-store.js';
import { type Container, startInForeground } from './start.js';

/** How an existing container is started. */
interface StartOptions {
  readonly attach: boolean;
  readonly acceptSources: readonly string[];
}

/** Starts an existing container detached, as its config says. */
export async function startContainer(container: ContainerHandle, { attach, acceptSources }: StartOptions): Promise<Attached | undefined> {
  await recover(container.root);
  await container.refresh();
  refuseWorkspace(container);
  const { status, monitor } = await container.state();
  if (status === 'paused') throw isPaused(container, 'start');
  // The monitor of a container that has just ended is about to end, too.
  if (status === 'exited') await waitForMonitor(container, monitor);
  const plan = await decide(container.config.spec, {}, container.root, {
    again: container.config,
    accept: acceptSources,
    detached: true,
    ...(attach ? { hold: 'go' } : {}),
  });
  return launchDetached(plan, attach);
}

/** Stops a container, if it runs, and starts it. A container that could not be started again is not stopped. */
export async function restartContainer(container: ContainerHandle, options: StopOptions, acceptSources: readonly string[]): Promise<void> {
  await container.refresh();
  refuseWorkspace(container);
  checkAgain(container.config, container.root, acceptSources);
  await stopContainer(container, options);
  await startContainer(container, { attach: false, acceptSources });
}

/** Runs another command in the files of an existing container, in the foreground. */
export async function rerunContainer<O extends RunOptions>(container: ContainerHandle, rerun: RerunSpec, options: O): Promise<Container<StreamingOf<O>>> {
  const { acceptSources = [], ...changed } = rerun;
  await container.refresh();
  const own = refuseWorkspace(container);
  await prepareStore(container.root);
  const env = definedIn({ ...own.env, ...changed.env });
  const spec: RunSpec = withInit({ ...own, restart: { policy: 'no' }, ...changed, env, entrypoint: [], keep: true });
  return startInForeground(spec, options, container.root, { again: container.config, accept: acceptSources });
}

/** @throws EngineError `NOT_DETACHABLE` */
function refuseWorkspace({ config }: ContainerHandle): Omit<RunSpec, 'workspace'> {
  const { workspace, ...spec } = config.spec;
  if (workspace !== undefined) throw isOfWorkspace(workspace);
  return spec;
}
