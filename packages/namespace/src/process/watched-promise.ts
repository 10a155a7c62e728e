/** A promise that calls back when a caller begins to wait for it. */
export class WatchedPromise<T> extends Promise<T> {
  #onWait: (() => void) | undefined;

  /** What follows on it is an ordinary promise. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  /** Settles as `promise` does. One that nobody waits for does not end the program when it rejects. */
  static of<T>(promise: Promise<T>, onWait: () => void): WatchedPromise<T> {
    const watched = new WatchedPromise<T>((resolve, reject) => void promise.then(resolve, reject));
    Promise.prototype.then.call(watched, undefined, () => undefined);
    watched.#onWait = onWait;
    return watched;
  }

  // biome-ignore lint/suspicious/noThenProperty: it is a promise
  override then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.#onWait?.();
    return super.then(onFulfilled, onRejected);
  }
}
