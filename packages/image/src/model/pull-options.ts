import type { AddOptions } from './add-options.js';
import type { RegistryOptions } from './registry-options.js';

export interface PullOptions extends AddOptions, RegistryOptions {}
