import { appendFileSync } from 'node:fs';
import { visible, visibleJson, writeAll } from '@lamella/syscall';
import type { Log } from '../model/log.js';
import type { LogOptions } from '../model/log-options.js';
import { LOG_OPTIONS, readOptions } from '../operations/option-shapes.js';

/**
 * Returns a log that writes the lines that engines parse. With `json` a line is one object with `level`, `msg` and `time`.
 * Errors are printed to stderr as well, for people.
 */
export function makeLog(options: LogOptions): Log {
  const { file, format, debug } = readOptions('makeLog(options)', options, LOG_OPTIONS);
  const write = (level: string, msg: string): void => {
    const time = new Date().toISOString();
    const line =
      format === 'json' ? visibleJson(JSON.stringify({ level, msg, time })) : `time="${time}" level=${level} msg=${visibleJson(JSON.stringify(msg))}`;
    const logged = file !== undefined && append(file, line);
    if (!logged && format === 'json') printLine(line);
    if (level === 'error' && (logged || format === 'text')) printLine(`lamella-oci: ${visible(msg)}`);
    else if (!logged && format === 'text') printLine(level === 'debug' ? line : `lamella-oci: ${level}: ${visible(msg)}`);
  };
  return {
    error: (message) => write('error', message),
    warn: (message) => write('warning', message),
    debug: (message) => {
      if (debug) write('debug', message);
    },
  };
}

/** @returns whether the line was written. A full disk of the engine does not end the command: the line goes to stderr instead. */
function append(file: string, line: string): boolean {
  try {
    appendFileSync(file, `${line}\n`, { mode: 0o644 });
    return true;
  } catch {
    return false;
  }
}

function printLine(line: string): void {
  try {
    writeAll(2, `${line}\n`);
  } catch {
    // No other output is left.
  }
}
