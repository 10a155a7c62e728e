import { setTimeout as sleep } from 'node:timers/promises';
import { cgroupStats, oomKills } from '@lamella/cgroup';
import type { Command } from '../command-line/command.js';
import { booleanFlag, textFlag, usageError } from '../command-line/parse-flags.js';
import { printJson } from '../command-line/print.js';
import { OciError } from '../errors/oci-error.js';
import { readStored, statusOf } from '../state/stored-container.js';

/** Milliseconds between two looks at whether memory ran out. */
const OOM_POLL = 200;

export const EVENTS_COMMAND: Command = {
  summary: 'Display resource usage and out-of-memory events as JSON',
  usage: 'CONTAINER',
  flags: {
    stats: { type: 'boolean', about: 'Display the current usage once' },
    interval: { type: 'string', value: 'DURATION', about: 'Interval between two lines, such as 100ms (default: 5s)' },
  },
  arguments: [1, 1],
  async run({ root }, values, [id = '']) {
    const found = readStored(root, id);
    const { cgroup } = found.stored;
    if (statusOf(found) === 'stopped')
      throw new OciError({
        code: 'CONTAINER_NOT_RUNNING',
        message: `container with id ${id} is not running`,
        hint: `Show its state: lamella-oci state ${id}`,
      });
    const emit = (type: string, data?: unknown): number => printJson({ type, id, ...(data === undefined ? {} : { data }) });
    if (booleanFlag(values, 'stats')) return emit('stats', cgroupStats(cgroup));
    const interval = parseInterval(textFlag(values, 'interval') ?? '5s');
    let kills = oomKills(cgroup);
    while (statusOf(found) !== 'stopped') {
      emit('stats', cgroupStats(cgroup));
      for (const until = Date.now() + interval; Date.now() < until && statusOf(found) !== 'stopped'; ) {
        await sleep(Math.min(OOM_POLL, interval));
        const now = oomKills(cgroup);
        if (now > kills) emit('oom');
        kills = now;
      }
    }
    return 0;
  },
};

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/**
 * Returns the milliseconds of `100ms`, `5s`, `1m30s`, or a bare number of seconds.
 *
 * @throws OciError `USAGE`
 */
export function parseInterval(text: string): number {
  const isPlain = /^\d+(?:\.\d+)?$/.test(text);
  const parts = isPlain ? [[text, text, 's']] : [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  const milliseconds = parts.reduce((sum, [, number, unit = 's']) => sum + Number(number) * (UNITS[unit] ?? 1), 0);
  if (!(milliseconds > 0)) throw usageError(`invalid value '${text}' for --interval: use a duration such as 5s or 100ms`);
  return milliseconds;
}
