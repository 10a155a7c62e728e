const NO_VOLUMES = 'Named volumes are not supported. Bind mount a directory: lamella run -v /directory:/path';
const NO_NETWORKS = 'Networks need no setup: lamella run --network none, host or pasta.';
const NO_CLUSTER = 'Clusters are not supported. Use systemd units, or Kubernetes with lamella-oci.';
const NO_BUILD = 'Dockerfiles are not supported. Run each step and create an image: lamella commit CONTAINER NAME';

/** Alternatives for the commands of Docker that we do not have. The longest match counts. */
const INSTEAD: Readonly<Record<string, string>> = {
  build: NO_BUILD,
  builder: NO_BUILD,
  buildx: NO_BUILD,
  bake: NO_BUILD,
  compose: 'Compose is not supported. Start each service with lamella run -d, or from a systemd unit.',
  config: NO_CLUSTER,
  context: 'There is no daemon. Choose a store: --root DIR',
  info: 'Check this machine: lamella doctor. Show disk usage: lamella system df',
  manifest: 'Show the manifest of an image: lamella image inspect NAME',
  network: NO_NETWORKS,
  node: NO_CLUSTER,
  plugin: 'Manage plugins: lamella plugins',
  scout: 'Save the image for a scanner: lamella save NAME -o FILE',
  search: 'Search on the website of the registry, then download: lamella pull NAME',
  secret: NO_CLUSTER,
  service: NO_CLUSTER,
  stack: NO_CLUSTER,
  swarm: NO_CLUSTER,
  trust: 'Pull by digest: lamella pull NAME@sha256:…',
  update: 'Set the limits of a new container: lamella run --memory SIZE --cpus NUMBER',
  version: 'Print the version: lamella --version',
  volume: NO_VOLUMES,
  'system info': 'Check this machine: lamella doctor',
  'system events': 'Show the events of containers: lamella events',
  'system prune': 'Remove stopped containers: lamella container prune. Remove unused layers: lamella image prune',
  'image build': NO_BUILD,
};

/** Returns the alternative for a command of Docker that we do not have. */
export function dockerCommand(words: readonly string[]): string | undefined {
  for (const name of [words.slice(0, 2).join(' '), words[0] ?? '']) if (Object.hasOwn(INSTEAD, name)) return INSTEAD[name];
  return undefined;
}
