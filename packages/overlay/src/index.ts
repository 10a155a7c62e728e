export { type Aspect, type Change, changesOf, type ObjectState, type ObjectType } from './changes.js';
export { diagnose } from './diagnose.js';
export { hasLowerdirPlus, type OverlayFeatures, probeFeatures } from './features.js';
export { mountOverlay, type OverlayMount } from './mount-overlay.js';
export { escapePath, optionString } from './options.js';
export { OverlayError } from './overlay-error.js';
export { methodFor, type OverlayMethod, overlayDetached, overlayMount } from './overlay-mount.js';
export { openSides, type Sides, type Upper } from './sides.js';
export { MAX_LOWERDIRS, type OverlayOptions, type OverlayStack } from './stack.js';
