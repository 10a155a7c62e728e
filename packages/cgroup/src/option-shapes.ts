import { type OptionReader, optionReader, shapeOf, take } from '@lamella/syscall';
import { CgroupError } from './cgroup-error.js';
import type { CgroupOptions } from './cgroup-options.js';
import type { Resources } from './resources.js';

/** Checks the options of the public functions of this package. */
export const read: OptionReader = optionReader(CgroupError);

const number = take.checkOf<number>('a number', (value) => typeof value === 'number');
/** The shape of the limits. `checkResources` checks their values. */
export const RESOURCES: take.Check<Resources> = shapeOf<Resources>(() => ({
  memory: number,
  memorySwap: number,
  cpus: number,
  cpuShares: number,
  cpusetCpus: take.text,
  pidsLimit: number,
  blkioWeight: number,
}));
export const CGROUP_OPTIONS: take.Check<CgroupOptions> = shapeOf<CgroupOptions>(() => ({
  name: take.required(take.word),
  mount: take.absolutePath,
  observe: take.flag,
}));
