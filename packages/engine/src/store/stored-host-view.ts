import type { HostOverlay, HostView } from '../model/host-view.js';

/** Returns the part of a view of the host that is stored with its container. The rest is surveyed again at each start. */
export function storedHostView({ scaffold, overlays, hidden }: HostView): HostView {
  return {
    ...(scaffold ? { scaffold: [] } : {}),
    overlays: overlays.map(({ was, ...each }) => (each.gone && was ? { ...each, was } : each)),
    binds: [],
    hidden,
  };
}

/** Returns a stored view. In old configs an overlay is a plain path. */
export function parseHostView(view: HostView): HostView {
  return { ...view, overlays: (view.overlays as readonly (HostOverlay | string)[]).map((each) => (typeof each === 'string' ? { path: each } : each)) };
}
