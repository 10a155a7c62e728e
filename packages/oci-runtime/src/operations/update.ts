import { limitCgroup, unitProperties, updateScope } from '@lamella/cgroup';
import { FILE_BOUNDS, lockFile, readRegularText } from '@lamella/syscall';
import type { OciLinux, OciResources } from '../config/schema.js';
import { OciError } from '../errors/oci-error.js';
import { replaceFile } from '../host/replace-file.js';
import { changeRdtGroup } from '../resources/intel-rdt.js';
import { readStored, statusOf } from '../state/stored-container.js';

type Schemas = Pick<NonNullable<OciLinux['intelRdt']>, 'l3CacheSchema' | 'memBwSchema'>;

/** Change the limits of a container. What is not named stays. @throws OciError `CONTAINER_NOT_RUNNING`, `RDT_MISSING`, `RDT_FAILED`; CgroupError */
export async function updateContainer(root: string, id: string, { devices: _, ...resources }: OciResources, schemas?: Schemas): Promise<void> {
  const found = readStored(root, id);
  await using _lock = await lockFile(found.directory.lock, { create: false });
  if (statusOf(found) === 'stopped')
    throw new OciError({ code: 'CONTAINER_NOT_RUNNING', message: `cannot update container ${id}: it has stopped`, hint: 'Limits are those of its processes.' });
  const { cgroup, scope, rdt } = found.stored;
  if (schemas && !rdt)
    throw new OciError({
      code: 'RDT_MISSING',
      message: `cannot update container ${id}: it has no class of service of Intel RDT`,
      hint: 'One is given by linux.intelRdt, when a container is created.',
    });
  if (scope) updateScope(scope, unitProperties(resources));
  limitCgroup(cgroup, resources);
  if (schemas && rdt) changeRdtGroup(rdt, schemas);
  keep(found.directory.config, resources, schemas);
}

/** The configuration that was kept tells of them, too. */
function keep(file: string, resources: Omit<OciResources, 'devices'>, schemas: Schemas | undefined): void {
  const config = JSON.parse(readRegularText(file, FILE_BOUNDS.bundle)) as { linux?: { resources?: Record<string, unknown>; intelRdt?: object } };
  const before = config.linux?.resources ?? {};
  const after: Record<string, unknown> = { ...before };
  for (const [name, value] of Object.entries(resources)) {
    if (value === undefined) continue;
    const old = before[name];
    after[name] = typeof value === 'object' && !Array.isArray(value) ? { ...(old as object | undefined), ...value } : value;
  }
  config.linux = { ...config.linux, resources: after, ...(schemas ? { intelRdt: { ...config.linux?.intelRdt, ...schemas } } : {}) };
  replaceFile(file, JSON.stringify(config));
}
