import { appendFileSync, writeSync } from 'node:fs';

/** What a command says beside its result. */
export interface Log {
  readonly error: (message: string) => void;
  readonly warn: (message: string) => void;
  readonly debug: (message: string) => void;
}

export interface LogOptions {
  /** A file to append to; stderr when there is none. */
  readonly file?: string | undefined;
  readonly format: 'text' | 'json';
  readonly debug: boolean;
}

/**
 * Lines as engines read them: with `json` one object each, with `level`, `msg` and `time`. An error goes to stderr, too,
 * for whoever is there.
 */
export function makeLog({ file, format, debug }: LogOptions): Log {
  const write = (level: string, msg: string): void => {
    const time = new Date().toISOString();
    const line = format === 'json' ? JSON.stringify({ level, msg, time }) : `time="${time}" level=${level} msg=${JSON.stringify(msg)}`;
    if (file) appendFileSync(file, `${line}\n`, { mode: 0o644 });
    else if (format === 'json') writeSync(2, `${line}\n`);
    if (level === 'error' && (file || format === 'text')) writeSync(2, `lamella-oci: ${msg}\n`);
    else if (!file && format === 'text') writeSync(2, level === 'debug' ? `${line}\n` : `lamella-oci: ${level}: ${msg}\n`);
  };
  return {
    error: (message) => write('error', message),
    warn: (message) => write('warning', message),
    debug: (message) => {
      if (debug) write('debug', message);
    },
  };
}
