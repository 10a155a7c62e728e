import { isPlace, type LayerProgress } from '@lamella/image';
import type { LayerBars } from '../output/layer-progress.js';
import { stderr } from '../output/out.js';
import type { RunCommandLine } from '../run-flags/parse-run.js';

/** A missing image is fetched and unpacked in sight of whoever waits for it. */
export function pullProgress({ flags, image }: RunCommandLine): {
  readonly show: (progress: LayerProgress) => void;
  /** Tells what its user may not expect; what may be so only where somebody looks. */
  readonly note: (sentence: string, certain: boolean) => void;
  readonly stop: () => void;
} {
  let bars: LayerBars | undefined;
  let loading = false;
  return {
    show({ diffID, ...rest }) {
      // What is there already is nobody's wait.
      if (!loading && rest.state === 'unpacking') {
        loading = true;
        // In a workspace the archive lies in front of everybody.
        if (!flags.json && flags.workspace === undefined) stderr.line(`lamella: ${isPlace(image) ? 'unpacking' : 'fetching'} ${image}`);
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
