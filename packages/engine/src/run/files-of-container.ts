import type { ContainerHandle } from '../lifecycle/container-handle.js';
import type { ContainerFiles } from '../lifecycle/files/container-root.js';
import { decide } from './decide.js';

/** Returns how the files of a container are reached: through its processes, or, if it is stopped, by mounting what they would see. */
export async function filesOf(container: ContainerHandle): Promise<ContainerFiles> {
  const { pid } = await container.state();
  await container.refresh();
  const { config, record, root } = container;
  const common = { spec: config.spec, shifted: config.ids !== undefined };
  if (pid !== undefined) return { kind: 'running', pid, ...common };
  const { stack, mounts, slots, others } = await decide(config.spec, {}, root, { again: config, idle: true, still: true });
  return { kind: 'stopped', record, stack, mounts, slots, others, ...common };
}
