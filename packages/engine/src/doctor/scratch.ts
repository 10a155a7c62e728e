import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { gateOf } from '@lamella/cleanup';
import { makeDirectory } from '@lamella/image';
import { type HeldLock, lockFile, removeScratch } from '@lamella/syscall';

/** A directory that is locked. */
interface LockedScratch {
  readonly lock: HeldLock;
  readonly scratch: string;
}

/**
 * Makes a directory and locks it. The gate, if there is one, keeps sweeps away between the two; a store without a gate has never been swept. If
 * one came meanwhile, a first sweep may be removing the directory: then another is made, behind the gate.
 */
async function lockScratch(containers: string): Promise<LockedScratch> {
  const gate = gateOf(containers);
  const isGated = existsSync(gate);
  await using _closed = isGated ? await lockFile(gate, { shared: true }) : undefined;
  const scratch = path.join(containers, `doctor-${randomUUID()}`);
  makeDirectory(scratch);
  const isSwept = (): boolean => !isGated && existsSync(gate);
  try {
    const lock = await lockFile(path.join(scratch, 'lock'));
    if (!isSwept()) return { lock, scratch };
    await lock[Symbol.asyncDispose]();
  } catch (error) {
    if (!isSwept()) {
      await removeScratch(scratch);
      throw error;
    }
  }
  await removeScratch(scratch);
  return await lockScratch(containers);
}

/** Work in a directory of the store that is a container like any other to sweep: alive as long as its lock is held, gone after a kill. */
export async function inScratch<Result>(root: string, work: (directory: string) => Promise<Result>): Promise<Result> {
  const { lock, scratch } = await lockScratch(path.join(root, 'containers'));
  try {
    await using _alive = lock;
    return await work(scratch);
  } finally {
    await removeScratch(scratch);
  }
}
