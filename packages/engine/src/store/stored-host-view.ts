import type { HostView } from '../model/host-view.js';

/** Returns the part of a view of the host that is stored with its container. The rest is surveyed again at each start. */
export function storedHostView({ scaffold, overlays, hidden }: HostView): HostView {
  return {
    ...(scaffold ? { scaffold: [] } : {}),
    overlays: overlays.map(({ was, ...each }) => (each.gone && was ? { ...each, was } : each)),
    binds: [],
    hidden,
  };
}
