import path from 'node:path';
import { string } from '@oclif/core/flags';

/** The flag by which users accept what they put in the place of something that a container was given. */
export const acceptSource = () =>
  string({
    multiple: true,
    multipleNonGreedy: true,
    helpValue: 'PATH',
    description: 'use what is at PATH now, though it was replaced; see VOLUME_MOVED',
  });

/** The paths that were accepted, absolute. */
export function acceptedPaths(paths: readonly string[] = []): readonly string[] {
  return paths.map((each) => path.resolve(each));
}
