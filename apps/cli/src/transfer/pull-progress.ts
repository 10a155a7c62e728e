import { isImageLocation, type LayerProgress } from '@lamella/image';
import type { LayerBars } from '../output/layer-progress.js';
import { stderr } from '../output/out.js';
import type { RunCommandLine } from '../run-flags/parse-run.js';

/** Shows the progress of pulling and unpacking a missing image. */
export function pullProgress({ flags, image }: RunCommandLine): {
  readonly show: (progress: LayerProgress) => void;
  /** Prints a note. One that is not certain is printed on a terminal only. */
  readonly note: (sentence: string, certain: boolean) => void;
  readonly stop: () => void;
} {
  let bars: LayerBars | undefined;
  let loading = false;
  return {
    show({ diffID, ...rest }) {
      // Layers that the store has already take no time.
      if (!loading && rest.state === 'unpacking') {
        loading = true;
        // In a workspace the archive is in the current directory.
        if (!flags.json && flags.workspace === undefined) stderr.line(`lamella: ${isImageLocation(image) ? 'unpacking' : 'fetching'} ${image}`);
        if (stderr.isTerminal && !flags.json)
          void import('../output/layer-progress.js').then(({ layerBars }) => {
            bars = layerBars();
          });
      }
      bars?.show({ id: diffID, ...rest });
    },
    note(sentence, certain) {
      if (!flags.json && (certain || stderr.isTerminal)) stderr.line(`lamella: note: ${sentence}`);
    },
    stop() {
      bars?.stop();
      bars = undefined;
    },
  };
}
