import { UsageError } from '../errors/usage-error.js';
import { parseDuration } from './go-values.js';

const DAY = 86_400_000;
/** RFC 3339, and Docker's shorter forms: without seconds, without a time, or without a zone (local time). */
const DATE = /^(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d(?::\d\d(?:\.\d+)?)?))?(Z|[+-]\d\d:\d\d)?$/;

/**
 * Parses a time: RFC 3339, seconds since 1970, or a duration before now, as in Go (1h30m) or with days (2d).
 *
 * @throws UsageError
 */
export function parseTime(text: string, now: number = Date.now()): Date {
  if (/^\d+(?:\.\d+)?$/.test(text)) return new Date(Number(text) * 1000);
  const [, days, rest] = /^(\d+(?:\.\d+)?)d(.*)$/.exec(text) ?? [];
  const duration = days === undefined ? parseDuration(text) : rest ? parseDuration(rest) : 0;
  if (duration !== undefined) return new Date(now - duration - Number(days ?? 0) * DAY);
  const [, day, time = '00:00', zone = ''] = DATE.exec(text) ?? [];
  const date = new Date(day === undefined ? Number.NaN : `${day}T${time}${zone}`);
  if (Number.isNaN(date.getTime()))
    throw new UsageError(`invalid time '${text}'`, 'Use a timestamp such as 2026-01-02T15:04:05Z, seconds since 1970, or a duration such as 10m.');
  return date;
}
