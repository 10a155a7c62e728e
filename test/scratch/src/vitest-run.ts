import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const CHECKOUT = path.join(import.meta.dirname, '../../..');
const VITEST = path.join(path.dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs');

/**
 * What Node is to be run with for the tests of some files, one after the other: by another user, or on another machine.
 *
 * @param files below the checkout
 * @param report absolute path of a file for {@link readReport}
 */
export function vitestArgs(files: readonly string[], report: string): string[] {
  // The directory of the configuration is not everybody's to write into, as its bundler would.
  return [VITEST, 'run', '--root', CHECKOUT, '--configLoader', 'native', '--no-file-parallelism', '--reporter=json', `--outputFile=${report}`, ...files];
}

/** What became of tests. */
export interface VitestReport {
  readonly passed: number;
  readonly skipped: number;
  /** Their names, and why. */
  readonly failed: readonly (readonly string[])[];
}

interface Json {
  readonly testResults: readonly {
    readonly name: string;
    readonly message: string;
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string; readonly failureMessages: readonly string[] }[];
  }[];
}

export function readReport(file: string): VitestReport {
  const { testResults } = JSON.parse(readFileSync(file, 'utf8')) as Json;
  const results = testResults.flatMap(({ assertionResults }) => assertionResults);
  const first = (message: string): string => message.split('\n    at ')[0] ?? '';
  const failed = results.filter(({ status }) => status === 'failed');
  const passed = results.filter(({ status }) => status === 'passed');
  return {
    passed: passed.length,
    skipped: results.length - passed.length - failed.length,
    failed: [
      // A file that could not even begin.
      ...testResults.filter(({ assertionResults, message }) => !assertionResults.length && message).map(({ name, message }) => [name, message]),
      ...failed.map(({ fullName, failureMessages }) => [fullName, ...failureMessages.map(first)]),
    ],
  };
}
