import { randomUUID } from 'node:crypto';
import { release } from 'node:os';
import { canLimitByDefault, cgroupVersion, planCgroup } from '@lamella/cgroup';
import { DEFAULT_FILTERS } from '@lamella/seccomp/default-filter';
import { AT, AT_FDCWD, type Op, PR, run, slotAllocator } from '@lamella/syscall';
import { explained, type Finding } from './finding.js';

export function checkKernel(): Finding {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  const old = major < 5 || (major === 5 && minor < 12);
  const detail = `Linux ${release()}`;
  if (!old) return { subject: 'kernel', state: 'ok', detail };
  return { subject: 'kernel', state: 'broken', detail, consequence: 'mount_setattr(2) and others are missing.', remedy: 'Linux 5.12 or later is needed.' };
}

export async function checkSeccomp(): Promise<Finding> {
  const filter = DEFAULT_FILTERS[process.arch];
  const consequence = 'Containers run only with --security-opt seccomp=unconfined, and may ask everything of the kernel.';
  if (!filter) return { subject: 'seccomp', state: 'missing', detail: `there is no filter for ${process.arch}`, consequence };
  try {
    await run([
      { op: 'prctl', option: PR.SET_NO_NEW_PRIVS, arg2: 1, arg3: 0, arg4: 0, arg5: 0 },
      { op: 'seccomp', operation: 1, flags: 0, filter },
    ]);
    return { subject: 'seccomp', state: 'ok', detail: `filter of ${filter.length / 8} instructions` };
  } catch (error) {
    return { subject: 'seccomp', state: 'missing', consequence, ...explained(error), remedy: 'A kernel with CONFIG_SECCOMP_FILTER.' };
  }
}

export async function checkCgroup(): Promise<Finding> {
  const version = cgroupVersion();
  const consequence = 'Limits on memory, processors and processes cannot be set.';
  try {
    const { create, directories } = planCgroup({ pidsLimit: 10 }, { name: `doctor-${randomUUID()}` }, slotAllocator());
    const remove = directories.map((pathname): Op => ({ op: 'unlinkat', dirfd: AT_FDCWD, pathname, flags: AT.REMOVEDIR }));
    await run([{ op: 'on_exit', program: remove }, ...create]);
    return {
      subject: 'cgroup',
      state: 'ok',
      detail: `v${version}, limits can be set${canLimitByDefault() ? '; processes are limited to 2048 by default' : ''}`,
    };
  } catch (error) {
    return { subject: 'cgroup', state: 'missing', consequence, ...explained(error) };
  }
}
