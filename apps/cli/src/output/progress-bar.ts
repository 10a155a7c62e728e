import { SingleBar } from 'cli-progress';

export interface Progress {
  readonly bar: { stop(): void };
  readonly onProgress: (progress: { readonly bytes: number; readonly entries: number; readonly total?: number }) => void;
}

/** A bar on stderr that appears with the first progress and disappears at its end. */
export function progressBar(title: string, total?: number): Progress {
  const bar = new SingleBar({
    format: `${title} {bar} {percentage}% | {entries} entries`,
    stream: process.stderr,
    clearOnComplete: true,
    hideCursor: true,
    barsize: 30,
  });
  let started = false;
  return {
    bar: {
      stop: () => {
        if (started) bar.stop();
        started = false;
      },
    },
    onProgress: ({ bytes, entries, total: found }) => {
      const all = total ?? found ?? bytes;
      if (!started) bar.start(all, bytes, { entries });
      else bar.update(bytes, { entries });
      started = true;
    },
  };
}
