import { OciError } from '../errors/oci-error.js';

/** A configuration that cannot be used: where, and why. */
export function invalidConfig(where: string, why: string, cause?: unknown): OciError {
  return new OciError({
    code: 'CONFIG_INVALID',
    message: `${where}: ${why}`,
    hint: 'The form is that of the OCI runtime-spec, config.md and config-linux.md.',
    ...(cause === undefined ? {} : { cause }),
  });
}
