/** Descriptors that the process gets: how many, from 3 on; and how many of them socket activation passed. */
export interface PreservedDescriptors {
  readonly count: number;
  readonly listening: number;
}
