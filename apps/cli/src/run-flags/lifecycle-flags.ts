import type { RestartPolicy, RunSpec } from '@lamella/engine';
import { parseInteger } from '../command-line/go-values.js';
import { UsageError } from '../errors/usage-error.js';
import { parseSizeFlag } from './confinement-flags.js';
import { readKeyValueFiles } from './key-value-files.js';
import type { RunFlags } from './run-flags.js';

type LifeFlags = Pick<RunFlags, 'label' | 'label-file' | 'stop-signal' | 'stop-timeout' | 'restart' | 'log-opt'>;

/**
 * Returns the labels, the stop and restart options and the log options of the flags.
 *
 * @throws UsageError
 */
export function lifecycle(flags: LifeFlags): Pick<RunSpec, 'labels' | 'stopSignal' | 'stopTimeout' | 'restart' | 'logs'> {
  const timeout = flags['stop-timeout'] === undefined ? undefined : parseInteger(flags['stop-timeout']);
  if (flags['stop-timeout'] !== undefined && timeout === undefined)
    throw new UsageError(`invalid value '${flags['stop-timeout']}' for --stop-timeout`, 'Use seconds, such as --stop-timeout 10, or -1 for no limit.');
  // As with Docker a key without a value is ignored in a file, but not in a flag.
  const labels = [...readKeyValueFiles(flags['label-file'] ?? [], 'a label').filter((entry) => entry.includes('=')), ...(flags.label ?? [])];
  return {
    ...(labels.length ? { labels: Object.fromEntries(labels.map(label)) } : {}),
    ...(!flags['stop-signal'] ? {} : { stopSignal: flags['stop-signal'] }),
    ...(timeout === undefined ? {} : { stopTimeout: timeout }),
    ...(flags.restart === undefined ? {} : { restart: restart(flags.restart) }),
    ...(flags['log-opt'] ? { logs: Object.assign({}, ...flags['log-opt'].map(logOption)) } : {}),
  };
}

function label(text: string): [key: string, value: string] {
  const equals = text.indexOf('=');
  const [key, value] = equals < 0 ? [text, ''] : [text.slice(0, equals), text.slice(equals + 1)];
  if (!key) throw new UsageError(`invalid label '${text}'`, 'Use --label KEY=VALUE.');
  return [key, value];
}

function restart(text: string): { policy: RestartPolicy; limit?: number } {
  const [, policy, count] = /^(no|always|unless-stopped|on-failure|)(?::([^:]*))?$/.exec(text) ?? [];
  const limit = count === undefined || (count === '' && policy !== '') ? undefined : parseInteger(count);
  if (policy === '' && count === undefined) return { policy: 'no' };
  if (!policy || (count && limit === undefined) || (limit !== undefined && (limit < 0 || (limit > 0 && policy !== 'on-failure'))))
    throw new UsageError(`invalid restart policy '${text}'`, 'Use no, on-failure[:N], always or unless-stopped.');
  return { policy: policy as RestartPolicy, ...(limit ? { limit } : {}) };
}

function logOption(text: string): { maxSize?: number; maxFiles?: number } {
  const [name, value = ''] = text.split('=');
  // -1 means unlimited, as in Docker.
  if (name === 'max-size') return { maxSize: value === '-1' ? 0 : parseSizeFlag(value, '--log-opt max-size=') };
  if (name === 'max-file') {
    if (!/^[1-9]$/.test(value)) throw new UsageError(`invalid value '${value}' for max-file`, 'Use 1 to 9: --log-opt max-file=3');
    return { maxFiles: Number(value) };
  }
  throw new UsageError(`invalid log option '${text}'`, 'Use max-size=SIZE (-1 means unlimited) or max-file=N.');
}
