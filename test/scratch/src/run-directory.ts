import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestProject } from 'vitest/node';

let directory: string | undefined;

// Vitest calls both, before the first file of tests and after the last. The process of a file does not end by itself, so nothing can be removed there.

export function setup({ provide }: TestProject): void {
  directory = mkdtempSync(path.join(tmpdir(), 'lamella-test-'));
  provide('runDirectory', directory);
}

export function teardown(): void {
  if (directory !== undefined) rmSync(directory, { recursive: true });
}
