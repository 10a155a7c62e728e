import { appendFileSync } from 'node:fs';
import { visible, visibleJson, writeAll } from '@lamella/syscall';
import type { Log } from '../model/log.js';
import type { LogOptions } from '../model/log-options.js';
import { LOG_OPTIONS, readOptions } from '../operations/option-shapes.js';

/**
 * Lines as engines read them: with `json` one object each, with `level`, `msg` and `time`. An error goes to stderr, too,
 * for whoever is there.
 */
export function makeLog(options: LogOptions): Log {
  const { file, format, debug } = readOptions('makeLog(options)', options, LOG_OPTIONS);
  const write = (level: string, msg: string): void => {
    const time = new Date().toISOString();
    const line =
      format === 'json' ? visibleJson(JSON.stringify({ level, msg, time })) : `time="${time}" level=${level} msg=${visibleJson(JSON.stringify(msg))}`;
    const logged = file !== undefined && append(file, line);
    if (!logged && format === 'json') tell(line);
    if (level === 'error' && (logged || format === 'text')) tell(`lamella-oci: ${visible(msg)}`);
    else if (!logged && format === 'text') tell(level === 'debug' ? line : `lamella-oci: ${level}: ${visible(msg)}`);
  };
  return {
    error: (message) => write('error', message),
    warn: (message) => write('warning', message),
    debug: (message) => {
      if (debug) write('debug', message);
    },
  };
}

/** @returns whether the file took it: an engine's full disk is no reason to end here, and stderr is told in its place */
function append(file: string, line: string): boolean {
  try {
    appendFileSync(file, `${line}\n`, { mode: 0o644 });
    return true;
  } catch {
    return false;
  }
}

function tell(line: string): void {
  try {
    writeAll(2, `${line}\n`);
  } catch {
    // There is nowhere left to say so.
  }
}
