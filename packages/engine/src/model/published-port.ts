/** A port of the host that leads into a container. */
export interface PublishedPort {
  /** Of the host; all of its addresses when missing. */
  readonly address?: string;
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol: 'tcp' | 'udp';
}
