import type { Credentials } from './registry-credentials.js';

/** How to speak to a registry. */
export interface RegistryOptions {
  /** Check certificates, and speak TLS at all. Default true; loopback addresses may speak HTTP anyway. */
  readonly tlsVerify?: boolean;
  /** Aborts the requests. */
  readonly signal?: AbortSignal;
  /** Instead of those that the configuration files have. They are for the registry of the image's name, and for no mirror. */
  readonly credentials?: Credentials;
  /** Receives what is wrong with the files of credentials and their helpers. */
  readonly onWarning?: (warning: string) => void;
}
