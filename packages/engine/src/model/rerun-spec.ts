import type { AcceptOptions } from './accept-options.js';
import type { RunSpec } from './run-spec.js';

/** Another command for a container that is there, and what of its spec is to be different. */
export interface RerunSpec extends Partial<Pick<RunSpec, 'cwd' | 'user' | 'network' | 'terminal' | 'input' | 'detachKeys' | 'resources' | 'init' | 'job'>> {
  /** The command and its arguments. */
  readonly args: readonly string[];
  /** Beside the container's own; without a value a variable of it is left out. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** See {@link AcceptOptions.acceptSources}. Default: none. */
  readonly acceptSources?: AcceptOptions['acceptSources'];
}
