import { limitCgroup, unitProperties, updateScope } from '@lamella/cgroup';
import { FILE_BOUNDS, lockFile, readRegularText } from '@lamella/syscall';
import type { OciLinux, OciResources } from '../config/schema.js';
import { OciError } from '../errors/oci-error.js';
import { replaceFile } from '../host/replace-file.js';
import { changeRdtGroup } from '../resources/intel-rdt.js';
import { readStored, statusOf } from '../state/stored-container.js';

type Schemas = Pick<NonNullable<OciLinux['intelRdt']>, 'l3CacheSchema' | 'memBwSchema'>;

/** Updates the limits of a container. Limits that are not given stay. @throws OciError `CONTAINER_NOT_RUNNING`, `RDT_MISSING`, `RDT_FAILED`; CgroupError */
export async function updateContainer(root: string, id: string, { devices: _, ...resources }: OciResources, schemas?: Schemas): Promise<void> {
  const found = readStored(root, id);
  await using _lock = await lockFile(found.directory.lock, { create: false });
  if (statusOf(found) === 'stopped')
    throw new OciError({
      code: 'CONTAINER_NOT_RUNNING',
      message: `cannot update container ${id}: container not running`,
      hint: `Show its state: lamella-oci state ${id}`,
    });
  const { cgroup, scope, rdt } = found.stored;
  if (schemas && !rdt)
    throw new OciError({
      code: 'RDT_MISSING',
      message: `cannot update container ${id}: it has no Intel RDT class of service`,
      hint: 'Set linux.intelRdt when the container is created.',
    });
  if (scope) updateScope(scope, unitProperties(resources));
  limitCgroup(cgroup, resources);
  if (schemas && rdt) changeRdtGroup(rdt, schemas);
  keep(found.directory.config, resources, schemas);
}

/** Writes the new limits to the stored configuration. */
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
