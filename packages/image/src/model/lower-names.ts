/** Parts of the layers below that a layer leans on. Names are as {@link LayerWriter.implied} gives them. */
export interface LowerNames {
  readonly directories: readonly string[];
  /** Everything else: links on the way to something, targets of hard links. */
  readonly others: readonly string[];
}
