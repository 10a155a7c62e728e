import { constants } from 'node:os';
import { EngineError } from '../model/engine-error.js';

/** `TERM`, `SIGTERM`, `15`, `RTMIN+3`. @throws EngineError `SIGNAL_UNKNOWN` */
export function signalNumber(signal: string): number {
  const word = signal.toUpperCase().replace(/^SIG/, '');
  const number = /^\d+$/.test(word) ? Number(word) : (constants.signals as Record<string, number>)[`SIG${word}`];
  if (number !== undefined && number >= 0 && number <= 64) return number;
  const [, edge, sign, offset = '0'] = /^RT(MIN|MAX)(?:([+-])(\d+))?$/.exec(word) ?? [];
  const real = edge === undefined ? undefined : (edge === 'MIN' ? 34 : 64) + (sign === '-' ? -1 : 1) * Number(offset);
  if (real !== undefined && real >= 34 && real <= 64) return real;
  throw new EngineError({ code: 'SIGNAL_UNKNOWN', message: `there is no signal '${signal}'`, hint: 'signal(7) lists them: SIGTERM, TERM or 15.' });
}
