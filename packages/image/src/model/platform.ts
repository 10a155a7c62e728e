/** Which of an index's images is wanted. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}
