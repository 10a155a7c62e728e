import { watch } from 'node:fs';

/** Waits for what happens in a directory, until a time, or an AbortSignal. */
export class Watching implements Disposable {
  #stirred = Promise.withResolvers<void>();
  #over = false;
  readonly #stop: () => void;
  readonly #until: Date | undefined;
  readonly #signal: AbortSignal | undefined;

  /** @param directory absolute path */
  constructor(directory: string, { until, signal }: { readonly until?: Date | undefined; readonly signal?: AbortSignal | undefined }) {
    this.#until = until;
    this.#signal = signal;
    const stir = (): void => this.#stirred.resolve();
    const watcher = watch(directory, stir);
    // A directory that is removed: the waiting caller looks, and finds that.
    watcher.on('error', stir);
    signal?.addEventListener('abort', stir);
    const timer = until && setTimeout(stir, Math.max(0, until.getTime() - Date.now()));
    this.#stop = () => {
      watcher.close();
      clearTimeout(timer);
      signal?.removeEventListener('abort', stir);
    };
  }

  /** Nothing more is to come. */
  end(): void {
    this.#over = true;
    this.#stirred.resolve();
  }

  /**
   * Begins a look: what happens after this call resolves {@link stirred}.
   *
   * @returns whether this look is the last
   */
  look(): boolean {
    this.#stirred = Promise.withResolvers();
    return this.#over || (this.#signal?.aborted ?? false) || (this.#until !== undefined && Date.now() >= this.#until.getTime());
  }

  /** Resolves when something happened since the last look. */
  stirred(): Promise<void> {
    return this.#stirred.promise;
  }

  [Symbol.dispose](): void {
    this.#stop();
  }
}
