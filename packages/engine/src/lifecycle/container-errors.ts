import { shellWord } from '@lamella/syscall';
import { EngineError } from '../model/engine-error.js';

/** What messages call a container. */
interface Named {
  readonly shownName: string;
}

export function notFound(reference: string): EngineError {
  return new EngineError({ code: 'CONTAINER_NOT_FOUND', message: `there is no container '${reference}'`, hint: 'List all containers: lamella ps -a' });
}

export function notRunning({ shownName }: Named): EngineError {
  return new EngineError({ code: 'CONTAINER_NOT_RUNNING', message: `the container ${shownName} is not running`, hint: `Start it: lamella start ${shownName}` });
}

export function notPaused({ shownName }: Named): EngineError {
  return new EngineError({
    code: 'CONTAINER_NOT_PAUSED',
    message: `the container ${shownName} is not paused`,
    hint: 'List the states of all containers: lamella ps -a',
  });
}

/** @param action what cannot be done, with its preposition: `attach to` */
export function isPaused({ shownName }: Named, action: string): EngineError {
  return new EngineError({
    code: 'CONTAINER_PAUSED',
    message: `cannot ${action} the container ${shownName}: it is paused`,
    hint: `Unpause it: lamella unpause ${shownName}`,
  });
}

/** @param action what cannot be done: `apply` */
export function mustBeStopped(shownName: string, action: string): EngineError {
  return new EngineError({
    code: 'CONTAINER_RUNNING',
    message: `cannot ${action} the container ${shownName} while it is running`,
    hint: `Stop it first: lamella stop ${shownName}`,
  });
}

export function isOfWorkspace(workspace: string): EngineError {
  return new EngineError({
    code: 'NOT_DETACHABLE',
    message: 'a container of a workspace cannot be started again',
    hint: `Run a new one: lamella run --workspace ${shellWord(workspace)} …`,
  });
}
