import path from 'node:path';
import { string } from '@oclif/core/flags';

/** Returns the flag that accepts a volume source which was replaced. */
export const acceptSource = () =>
  string({
    multiple: true,
    multipleNonGreedy: true,
    helpValue: 'PATH',
    description: 'Use the file or directory at PATH although it was replaced',
  });

/** Returns the accepted paths, absolute. */
export function acceptedPaths(paths: readonly string[] = []): readonly string[] {
  return paths.map((each) => path.resolve(each));
}
