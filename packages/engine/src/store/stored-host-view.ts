import type { HostOverlay, HostView } from '../model/host-view.js';

/** What is kept of a view with its container. Overlays were plain paths once. */
export function keptView({ scaffold, overlays, hidden }: HostView): HostView {
  return {
    ...(scaffold ? { scaffold: [] } : {}),
    overlays: overlays.map(({ was, ...each }) => (each.gone && was ? { ...each, was } : each)),
    binds: [],
    hidden,
  };
}

/** A view as it was read from a container's config. */
export function readView(view: HostView): HostView {
  return { ...view, overlays: (view.overlays as readonly (HostOverlay | string)[]).map((each) => (typeof each === 'string' ? { path: each } : each)) };
}
