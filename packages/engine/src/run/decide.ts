import { existsSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { claimsLeft } from '@lamella/cleanup';
import { hasLowerdirPlus, methodFor } from '@lamella/overlay';
import { unobserved } from '@lamella/syscall';
import { readLayerStack, recoverCheckpoints } from '../checkpoints/checkpoint.js';
import { unreachable } from '../filesystem/host/host-paths.js';
import type { OverlayState } from '../filesystem/host/survey-host.js';
import { acceptSources } from '../filesystem/sources/accept-sources.js';
import { type CheckedSources, checkSources } from '../filesystem/sources/check-sources.js';
import { differenceOf, lookAt } from '../filesystem/sources/identify-source.js';
import { completeSources, noteSources, readSources, recordSources } from '../filesystem/sources/record-sources.js';
import { isEmpty, untouchedOf } from '../filesystem/sources/unchanged-overlays.js';
import { confinement } from '../isolation/confinement.js';
import type { ContainerConfig } from '../model/container-config.js';
import { EngineError } from '../model/engine-error.js';
import type { HostOverlay, HostView } from '../model/host-view.js';
import type { RunOptions } from '../model/run-options.js';
import type { RunSpec } from '../model/run-spec.js';
import type { Source, Sources } from '../model/source.js';
import { generateName } from '../store/generated-names.js';
import { randomId } from '../store/identifiers.js';
import { lowersOf, sameLowers } from './image-layers.js';
import { ignoredVolumes } from './plan/mounts/mount-order.js';
import { type Plan, plan } from './plan/plan.js';
import type { Life, NewIdentity, PlanRequest } from './plan/plan-request.js';

/** The host as a container is to see it now: since it began, mounts and directories may have gone and come. */
async function hostNow({ cwd, args, env }: RunSpec, host: HostView, root: string, { again, idle }: Life): Promise<HostView> {
  if (!again) return host;
  const directory = path.join(root, 'containers', again.id);
  const recorded = readSources(directory, again);
  const frozen = readLayerStack(root, { containers: path.join(root, 'containers'), id: again.id }, again).frozen.length > 0;
  const stateOf = ({ gone }: HostOverlay, i: number, was: Source | undefined): OverlayState => {
    if (!frozen && isEmpty(path.join(directory, `upper.${i + 1}`))) return 'untouched';
    // An earlier version wrote nothing down.
    return (was ? isThere(was) : !gone) ? 'same' : 'other';
  };
  // The container is not started: only changes in directories that are gone must not be looked for there.
  if (idle)
    return { ...host, overlays: host.overlays.map((each, i) => (stateOf(each, i, recorded.get(each.path)) === 'other' ? { ...each, gone: true } : each)) };
  const { resumeHostView, surveyHost } = await import('../filesystem/host/survey-host.js');
  const now = surveyHost([], { cwd: cwd ?? '/', args: args ?? [], env: env ?? {} });
  return resumeHostView(host, now, recorded, stateOf);
}

function isThere(was: Source): boolean {
  try {
    return differenceOf(was, lookAt(was.path)) === undefined;
  } catch (error) {
    unreachable(error);
    return false;
  }
}

/**
 * Decides everything about one life of a container.
 *
 * @throws EngineError, ImageError, NamespaceError, SeccompError, CgroupError
 */
export async function decide(asked: RunSpec, options: RunOptions, root: string, life: Life = {}): Promise<Plan> {
  return plan(await requestPlan(asked, options, root, life));
}

/**
 * Answers every question that a plan has.
 *
 * @throws EngineError, ImageError, NamespaceError, SeccompError, CgroupError
 */
export async function requestPlan(asked: RunSpec, options: RunOptions, root: string, life: Life = {}): Promise<PlanRequest> {
  const spec = withRealWorkspace(asked.host ? { ...asked, host: await hostNow(asked, asked.host, root, life) } : asked);
  for (const note of spec.host?.notes ?? []) options.onNote?.(note, true);
  if (spec.host?.doubt !== undefined) options.onNote?.(spec.host.doubt, false);
  const confined = await confinement(spec);
  const sources = sourcesFor(spec, root, life);
  const lowers = life.again ? sameLowers(life.again.lowers, life.again.image) : await lowersOf(spec, options, root);
  const ignored = life.again ? [] : ignoredVolumes(lowers.config);
  if (ignored.length) options.onNote?.(`the image calls ${ignored.join(', ')} a volume, which stays what the kernel shows there`, true);
  // Only stacks with more option text than a page need to know.
  const probe = { lowerdirs: lowers.trees, merged: '/' };
  const lowerdirPlus = methodFor(probe, { lowerdirPlus: false }) !== 'mount' && (await hasLowerdirPlus());
  const frozen = life.again ? await recoverCheckpoints(root, life.again) : [];
  if (life.again) checkUpper(life.again, root);
  const left = life.again ? await claimsLeft({ containers: path.join(root, 'containers'), id: life.again.id }) : [];
  const fresh = life.again ? undefined : chooseIdentity(spec, path.join(root, 'containers'));
  return { spec, root, lowers, features: { lowerdirPlus }, confined, sources, life: { ...life, frozen, left }, fresh };
}

/** Chooses the id and the name that the user did not give. Another run chooses others, so a plan does not depend on what is read here. */
function chooseIdentity({ name }: RunSpec, containers: string): NewIdentity {
  return unobserved(() => ({ id: randomId(), name: name === undefined ? generateName(containers) : undefined, created: new Date().toISOString() }));
}

/** What a container had written is not made anew, empty, without a word. @throws EngineError `UPPER_GONE` */
function checkUpper({ id, spec }: ContainerConfig, root: string): void {
  const upper = path.join(spec.workspace ?? path.join(root, 'containers', id), 'upper');
  if (existsSync(upper)) return;
  throw new EngineError({
    code: 'UPPER_GONE',
    message: `what the container ${spec.name ?? id} had written is gone: ${upper} is missing`,
    hint: `Put it back, or remove the container: lamella rm ${id}`,
  });
}

/**
 * Checks whether a container that is there could be started again, and writes nothing down.
 *
 * @throws EngineError `IMAGE_GONE`, `UPPER_GONE`, `VOLUME_MOVED`, `VOLUME_INVALID`
 */
export function checkAgain(config: ContainerConfig, root: string, accept: readonly string[]): void {
  checkUpper(config, root);
  sameLowers(config.lowers, config.image);
  // What a view of the host shows is looked for at each start anew.
  if (!config.spec.host) sourcesFor(config.spec, root, { again: config, accept }, () => undefined);
}

/** Returns the sources that a container received from the host when it was made. @throws EngineError `VOLUME_MOVED`, `VOLUME_INVALID`, `DEVICE_INVALID` */
function sourcesFor(spec: RunSpec, root: string, { again, given, accept = [] }: Life, note: typeof noteSources = noteSources): CheckedSources {
  const name = spec.name ?? again?.id ?? spec.image;
  if (!again) return given ? sameAsGiven(given, spec, name) : { container: name, now: recordSources(spec) };
  const directory = path.join(root, 'containers', again.id);
  const known = completeSources(directory, { ...again, spec });
  if (!spec.host && !accept.length) return checkSources(known, spec, name);
  const { views } = readLayerStack(root, { containers: path.join(root, 'containers'), id: again.id }, { ...again, spec });
  const changed = new Set(views.flatMap((view) => (view.source !== undefined && (view.frozen.length || !isEmpty(view.upperdir)) ? [view.source] : [])));
  const recorded = acceptSources(known, accept, { spec, container: name, changed });
  if (accept.length) note(directory, recorded);
  if (!spec.host) return checkSources(recorded, spec, name);
  // What came since is what it is now.
  const back = spec.host.overlays.flatMap((each) => (!each.gone && each.was ? [[each.path, each.was] as const] : []));
  const complete = new Map([...recordSources({ host: spec.host }, recorded), ...recorded, ...back]);
  const checked = checkSources(complete, spec, name, untouchedOf(views, spec));
  // It went away since the host was surveyed, a moment ago.
  for (const error of checked.gone?.values() ?? []) throw error;
  // What is written from now on is written for what is there now.
  if ([...checked.now].some(([pathname, is]) => differsFrom(recorded.get(pathname), is))) note(directory, new Map([...recorded, ...checked.now]));
  return checked;
}

/** The sources of one container of a pool, which has no name to start it by. @throws EngineError `VOLUME_MOVED` */
function sameAsGiven(given: Sources, spec: RunSpec, name: string): CheckedSources {
  try {
    return checkSources(given, spec, name);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    throw new EngineError({
      code: error.code,
      message: error.message,
      hint: 'Nothing was changed. Put back what was there; or close the pool, and make another one.',
      cause: error,
    });
  }
}

function differsFrom(was: Source | undefined, is: Source): boolean {
  return was === undefined || differenceOf(was, is) !== undefined;
}

/** The links in the path of a workspace are followed once. */
function withRealWorkspace(spec: RunSpec): RunSpec {
  if (spec.workspace === undefined || !existsSync(spec.workspace)) return spec;
  return { ...spec, workspace: realpathSync.native(spec.workspace) };
}
