import { OciError } from '../errors/oci-error.js';

/**
 * Returns the error of an invalid configuration.
 *
 * @param where the file, or the property
 * @param why what is wrong with it
 */
export function invalidConfig(where: string, why: string, cause?: unknown): OciError {
  return new OciError({
    code: 'CONFIG_INVALID',
    message: `${where}: ${why}`,
    hint: 'See config.md and config-linux.md of the OCI runtime specification.',
    ...(cause === undefined ? {} : { cause }),
  });
}
