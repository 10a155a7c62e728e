import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { isRegExp } from 'node:util/types';
import type { StoredContainer } from '@lamella/engine';
import { type LamellaError, type OptionReader, optionReader, shapeOf, take, visible } from '@lamella/syscall';
import type { ServiceErrorCode } from './error-codes.js';
import { ServiceError } from './service-error.js';

/** How a service says that it is ready: all that are given have to hold. */
export interface Readiness {
  /** A part of what it writes to stdout or stderr, or a pattern of a line. */
  readonly log?: string | RegExp;
  /** A TCP port that it listens on, in the container's network. */
  readonly port?: number;
  /** A command in the container that ends with 0. */
  readonly command?: readonly string[];
  /** A URL that answers this process with a status below 300: of a published port, or with `network: 'host'`. */
  readonly http?: string;
  /** How long it may take, in milliseconds. Default 30,000. */
  readonly timeout?: number;
}

const read: OptionReader = optionReader(ServiceError);
const READINESS = shapeOf<Readiness>(() => ({
  log: take.either(
    take.text,
    take.checkOf<RegExp>('a pattern', (value) => isRegExp(value)),
  ),
  port: take.whole(1, 65_535),
  command: take.listOf(take.text),
  http: take.word,
  // setTimeout(3) of Node takes no more, and fires at once.
  timeout: take.whole(1, 2 ** 31 - 1),
}));

/** Returns what was given as `ready`. @throws ServiceError `OPTION_UNKNOWN`, `OPTION_INVALID` */
export function readReadiness(given: Readiness): Readiness {
  return read('containerTest({ ready })', given, READINESS);
}

const TIMEOUT = 30_000;
const PAUSE = 20;
/** Lines of its output that an error shows at the most. */
const SHOWN = 20;

/**
 * Starts a container's own command, and waits until it is ready.
 *
 * @throws ServiceError `SERVICE_ENDED`, `SERVICE_NOT_READY`: with the last that it wrote
 */
export async function startService(container: StoredContainer, ready: Readiness): Promise<void> {
  const since = new Date();
  await container.start();
  const { timeout = TIMEOUT } = ready;
  const signal = AbortSignal.timeout(timeout);
  const waits = waitsOf(container, ready, since);
  let waiting: string | undefined;
  while (!signal.aborted) {
    const { status } = await container.state();
    if (status !== 'running' && status !== 'restarting') {
      // Its status is known when all that it used is released, a moment after its end.
      const ending = await container.wait();
      throw await failure(
        'SERVICE_ENDED',
        `the service ended with ${ending?.signal ?? `status ${ending?.exitCode ?? 'unknown'}`} before it was ready`,
        container,
        since,
      );
    }
    waiting = await firstThatFails(waits, signal);
    if (waiting === undefined) return;
    await sleep(PAUSE);
  }
  throw await failure('SERVICE_NOT_READY', `the service was not ready within ${timeout} ms: ${waiting ?? 'it was not asked in time'}`, container, since);
}

interface Wait {
  /** What does not hold. */
  readonly what: string;
  holds(signal: AbortSignal): Promise<boolean>;
}

function waitsOf(container: StoredContainer, { log, port, command, http }: Readiness, since: Date): Wait[] {
  return [
    ...(log === undefined
      ? []
      : [{ what: `nothing in its output is ${typeof log === 'string' ? JSON.stringify(log) : log}`, holds: () => wrote(container, log, since) }]),
    ...(port === undefined ? [] : [{ what: `nobody listens on port ${port}`, holds: () => listens(container, port) }]),
    ...(command === undefined
      ? []
      : [{ what: `the command ${command.join(' ')} fails`, holds: (signal: AbortSignal) => succeeds(container, command, signal) }]),
    ...(http === undefined ? [] : [{ what: `${http} does not answer with success`, holds: (signal: AbortSignal) => answers(http, signal) }]),
  ];
}

async function firstThatFails(waits: readonly Wait[], signal: AbortSignal): Promise<string | undefined> {
  for (const { what, holds } of waits) if (!(await holds(signal))) return what;
  return undefined;
}

async function outputOf(container: StoredContainer, since: Date): Promise<string> {
  const entries = await Array.fromAsync(container.logs({ since }));
  return Buffer.concat(entries.map(({ content }) => content)).toString();
}

async function wrote(container: StoredContainer, log: string | RegExp, since: Date): Promise<boolean> {
  const output = await outputOf(container, since);
  if (typeof log === 'string') return output.includes(log);
  // A pattern with state (g, y) would begin where it ended the last time.
  const pattern = new RegExp(log.source, log.flags.replace(/[gy]/g, ''));
  return output.split('\n').some((line) => pattern.test(line));
}

const LISTENS = '0A';

/** By the kernel's own list for the network that its process is in; nothing is connected to. */
async function listens(container: StoredContainer, port: number): Promise<boolean> {
  const { pid } = await container.state();
  if (pid === undefined) return false;
  const lists = await Promise.all(['tcp', 'tcp6'].map((name) => readFile(`/proc/${pid}/net/${name}`, 'latin1').catch(whenGone)));
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return lists.some((list) =>
    list.split('\n').some((line) => {
      const [, local = '', , state] = line.trim().split(/\s+/);
      return local.endsWith(wanted) && state === LISTENS;
    }),
  );
}

/** The process may have ended meanwhile; the kernel may have no IPv6. */
function whenGone(error: NodeJS.ErrnoException): string {
  if (!['ENOENT', 'ESRCH', 'EINVAL'].includes(error.code ?? '')) throw error;
  return '';
}

async function succeeds(container: StoredContainer, args: readonly string[], signal: AbortSignal): Promise<boolean> {
  try {
    const { exitCode } = await (await container.exec({ args }, { cancelSignal: signal })).result;
    return exitCode === 0;
  } catch (error) {
    // What it was to run in has ended, which the next look at its state tells.
    if ((error as { code?: string }).code === 'CONTAINER_NOT_RUNNING' || signal.aborted) return false;
    throw error;
  }
}

async function answers(url: string, signal: AbortSignal): Promise<boolean> {
  try {
    const { ok, body } = await fetch(url, { signal, redirect: 'manual' });
    await body?.cancel();
    return ok;
  } catch (error) {
    // fetch() throws it for everything that fails on the way, and at once for an invalid URL.
    if (error instanceof TypeError && !URL.canParse(url)) throw error;
    return false;
  }
}

async function failure(code: ServiceErrorCode, message: string, container: StoredContainer, since: Date): Promise<LamellaError> {
  const lines = (await outputOf(container, since)).trimEnd().split('\n').slice(-SHOWN);
  const said = lines.join('') === '' ? 'It wrote nothing.' : `The last that it wrote:\n${lines.map((line) => `  ${visible(line)}`).join('\n')}`;
  return new ServiceError({ code, message: `${message}. ${said}`, hint: 'See `args` and `ready` of containerTest().' });
}
