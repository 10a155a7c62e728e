import { visible, visibleJson, writeAll } from '@lamella/syscall';
import { OutputError } from '../errors/output-error.js';

/** Prints lines, all of them before this returns; what is in them is escaped. @returns the status of success @throws OutputError */
export function print(output: string): number {
  return write(
    output
      .split('\n')
      .map((line) => visible(line))
      .join('\n'),
  );
}

/** Prints a value for programs. @returns the status of success @throws OutputError */
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
