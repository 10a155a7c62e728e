import { stderr } from '../output/out.js';
import { text } from '../output/printable.js';

/** Tells of something about a container that its user may not expect. */
export function sayNote(sentence: string): void {
  stderr.line(text`lamella: note: ${sentence}`);
}
