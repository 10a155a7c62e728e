import type { AddOptions } from './add-options.js';
import type { RegistryOptions } from './registry-options.js';

/** Options of a pull. */
export interface PullOptions extends AddOptions, RegistryOptions {}
