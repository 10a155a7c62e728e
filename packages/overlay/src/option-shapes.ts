import { type ObjectIdentity, type OptionReader, optionReader, shapeOf, take } from '@lamella/syscall';
import type { ChangesOptions } from './changes-options.js';
import { OverlayError } from './overlay-error.js';
import type { FuseOverlay, OverlayOptions, OverlayStack, ShownIds } from './stack.js';

/** Reads what public functions of this package are given. */
export const read: OptionReader = optionReader(OverlayError);

export const CHANGES_OPTIONS: take.Check<ChangesOptions> = shapeOf<ChangesOptions>(() => ({ otherNames: take.flag }));

const ids = take.listOf(
  take.objectOf<ShownIds>({ shown: take.required(take.whole(0)), kept: take.required(take.whole(0)), count: take.required(take.whole(1)) }),
);
/** Which paths and how many there may be says OVERLAY_INVALID. */
export const OVERLAY_STACK: take.Check<OverlayStack> = shapeOf<OverlayStack>(() => ({
  lowerdirs: take.required(take.listOf(take.text)),
  upperdir: take.text,
  workdir: take.text,
  merged: take.required(take.text),
  expected: take.checkOf<Readonly<Record<string, ObjectIdentity>>>('an object of identities', (value) => typeof value === 'object' && value !== null),
  options: take.objectOf<OverlayOptions>({
    userxattr: take.flag,
    index: take.flag,
    metacopy: take.flag,
    redirect_dir: take.oneOf('on', 'off', 'follow', 'nofollow'),
    xino: take.oneOf('on', 'off', 'auto'),
    volatile: take.flag,
  }),
  flags: take.whole(0, 2 ** 32 - 1),
  fuse: take.objectOf<FuseOverlay>({
    program: take.required(take.absolutePath),
    allowOther: take.required(take.flag),
    ids: take.objectOf<NonNullable<FuseOverlay['ids']>>({ uids: take.required(ids), gids: take.required(ids) }),
    acl: take.flag,
    diesToo: take.flag,
  }),
}));
