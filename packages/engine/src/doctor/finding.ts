import { NamespaceError } from '@lamella/namespace';
import { LamellaError } from '@lamella/syscall';

/** One thing a machine has, or has not. */
export interface Finding {
  readonly subject: string;
  /** `missing` costs a feature, `broken` means that nothing runs. */
  readonly state: 'ok' | 'missing' | 'broken';
  readonly detail: string;
  readonly consequence?: string;
  readonly remedy?: string;
}

export function explained(error: unknown): Pick<Finding, 'detail' | 'remedy'> {
  if (error instanceof LamellaError || error instanceof NamespaceError) return { detail: error.message, ...(error.hint ? { remedy: error.hint } : {}) };
  throw error;
}
