import path from 'node:path';
import { visible } from '@lamella/syscall';
// A default import, because Node finds no named exports in this CommonJS module.
import cliProgress, { type SingleBar } from 'cli-progress';
import { bytes } from './units.js';

export interface LayerEvent {
  readonly id: string;
  readonly state: string;
  readonly bytes: number;
  readonly total: number | undefined;
}

/** Progress bars, one per layer, with rate and remaining time. They are cleared at the end. */
export interface LayerBars {
  readonly show: (event: LayerEvent) => void;
  readonly stop: () => void;
}

/** Returns progress bars on stderr. */
export function layerBars(): LayerBars {
  // A closed terminal must not end the command.
  process.stderr.on('error', () => undefined);
  const format = (
    options: Parameters<typeof cliProgress.Format.BarFormat>[1],
    parameters: { progress: number; value: number; total: number; eta: number; startTime: number },
    payload: { id: string; state: string; known: boolean },
  ): string => {
    const seconds = Math.max(0.001, (Date.now() - parameters.startTime) / 1000);
    const rate =
      payload.state === 'done' ? '' : ` ${bytes(parameters.value / seconds)}/s, ${Number.isFinite(parameters.eta) ? Math.ceil(parameters.eta) : 0} s left`;
    // The size of a stream is unknown.
    if (!payload.known) return `${payload.id} ${bytes(parameters.value)}, ${bytes(parameters.value / seconds)}/s`;
    return `${payload.id} ${cliProgress.Format.BarFormat(parameters.progress, options)} ${bytes(parameters.value)} of ${bytes(parameters.total)}${rate}`;
  };
  const multi = new cliProgress.MultiBar(
    { stream: process.stderr, clearOnComplete: true, hideCursor: true, barsize: 24, format: format as never, stopOnComplete: false },
    cliProgress.Presets.shades_classic,
  );
  const bars = new Map<string, SingleBar>();
  return {
    show({ id, state, bytes: done, total }) {
      let bar = bars.get(id);
      if (!bar) {
        bar = multi.create(total ?? Math.max(done, 1), done, {
          id: id.startsWith('sha256:') ? id.slice(7, 19) : visible(path.basename(id)),
          state,
          known: total !== undefined,
        });
        bars.set(id, bar);
      }
      // A bar stops at its total, so that of a stream grows.
      if (total === undefined) bar.setTotal(Math.max(done, 1));
      bar.update(done, { state });
    },
    stop: () => multi.stop(),
  };
}
