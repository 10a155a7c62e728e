/** File descriptors that the process inherits, from 3 on: their count, and how many come from socket activation. */
export interface PreservedDescriptors {
  readonly count: number;
  readonly listening: number;
}
