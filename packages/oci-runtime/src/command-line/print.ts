import { visible, visibleJson, writeAll } from '@lamella/syscall';
import { OutputError } from '../errors/output-error.js';

/** Prints escaped lines and returns once all are written. @returns 0, the exit status of success @throws OutputError */
export function print(output: string): number {
  return write(
    output
      .split('\n')
      .map((line) => visible(line))
      .join('\n'),
  );
}

/** Prints a value as JSON. @returns 0, the exit status of success @throws OutputError */
export function printJson(value: unknown, indent?: number): number {
  return write(`${visibleJson(JSON.stringify(value, null, indent))}\n`);
}

function write(output: string): number {
  try {
    writeAll(1, output);
  } catch (error) {
    throw new OutputError(error);
  }
  return 0;
}
