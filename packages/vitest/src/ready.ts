import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { EngineError, type StoredContainer } from '@lamella/engine';
import { optionReader, shapeOf, take } from '@lamella/syscall';

/** When a server is ready. What is given has to hold, one after the other. */
export interface Readiness {
  /** It has written this, to stdout or stderr. */
  readonly log?: string | RegExp;
  /** It listens on this TCP port of its own network. */
  readonly port?: number;
  /** This command, run in the container, exits with 0. */
  readonly command?: readonly string[];
  /** A GET of this URL is answered with a status from 200 to 299. For containers with `network: 'host'`. */
  readonly http?: string;
  /** Milliseconds until the test fails. Default 30000. */
  readonly timeout?: number;
}

export const read: ReturnType<typeof optionReader> = optionReader(EngineError);

export const READINESS: take.Check<Readiness> = shapeOf<Readiness>(() => ({
  log: take.either(take.word, take.instanceOf(RegExp, 'a RegExp')),
  port: take.whole(1, 65_535),
  command: take.listOf(take.text),
  http: take.checkOf<string>('a http:// or https:// URL', (value) => typeof value === 'string' && /^https?:$/.test(URL.parse(value)?.protocol ?? '')),
  timeout: take.whole(1, 2 ** 31 - 1),
}));

/** Between two looks, in milliseconds. */
const PAUSE = 10;
/** Of what a server wrote, so much is told when it is not ready: the end. */
const SHOWN = 4000;
/** The state of a socket that listens (proc(5), /proc/net/tcp). */
const LISTENS = '0A';

/**
 * Waits until a server is ready.
 *
 * @throws EngineError `SERVICE_NOT_READY`, with what it wrote
 */
export async function untilReady(container: StoredContainer, { log, port, command, http, timeout = 30_000 }: Readiness): Promise<void> {
  const late = AbortSignal.timeout(timeout);
  const fail = async (why: string): Promise<never> => {
    const written = (await Array.fromAsync(container.logs())).map(({ content }) => content.toString()).join('');
    throw new EngineError({
      code: 'SERVICE_NOT_READY',
      message: `${container.config.args.join(' ')}: ${why}${written ? `. It wrote:\n${written.slice(-SHOWN)}` : ', and it wrote nothing'}`,
      hint: 'Check its command, and what it is to be ready by.',
    });
  };
  const until = async (what: string, holds: () => Promise<boolean>): Promise<void> => {
    for (;;) {
      if (await holds()) return;
      if ((await container.state()).status !== 'running') await fail(`it ended before ${what}`);
      if (late.aborted) await fail(`after ${timeout} ms it has not come to that: ${what}`);
      await sleep(PAUSE);
    }
  };
  if (log !== undefined) {
    const pattern = typeof log === 'string' ? undefined : new RegExp(log.source, log.flags.replace(/[gy]/g, ''));
    await until(`it wrote ${String(log)}`, async () => {
      const written = (await Array.fromAsync(container.logs())).map(({ content }) => content.toString()).join('');
      return pattern ? pattern.test(written) : written.includes(String(log));
    });
  }
  if (port !== undefined) await until(`it listened on port ${port}`, async () => listens((await container.state()).pid, port));
  if (command !== undefined)
    await until(`${command.join(' ')} succeeded`, async () => {
      // One that ends meanwhile is seen by the next look.
      const running = await container.exec({ args: command }, { stdio: 'ignore' }).catch(ended);
      return (await running?.result.catch(ended))?.exitCode === 0;
    });
  if (http !== undefined) await until(`${http} answered`, () => answers(http));
}

function ended(error: { code?: string }): undefined {
  if (error.code !== 'CONTAINER_NOT_RUNNING') throw error;
}

async function listens(pid: number | undefined, port: number): Promise<boolean> {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  for (const table of pid === undefined ? [] : ['tcp', 'tcp6']) {
    // Without IPv6 there is no second table; and it may end at any time.
    const lines = (await readFile(`/proc/${pid}/net/${table}`, 'utf8').catch(() => '')).split('\n').slice(1);
    if (lines.some((line) => (([, local = '', , state]) => state === LISTENS && local.endsWith(suffix))(line.trim().split(/\s+/)))) return true;
  }
  return false;
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(5000) })).ok;
  } catch {
    // Nobody is there yet: whether it is too late says who asks.
    return false;
  }
}
