const NO_VOLUMES = 'There are no named volumes: -v /directory:/path shows a directory of the host.';
const NO_NETWORKS = 'There are no networks to look after: --network none, host or pasta.';
const NO_CLUSTER = 'A cluster is not what lamella is for: units of systemd(1), or Kubernetes with lamella-oci.';
const NO_BUILD = 'Run each step by lamella run, and make an image of it: lamella commit CONTAINER NAME.';

/** Commands of Docker's that we do not have: what to do instead. Of several words the longest is looked for first. */
const INSTEAD: Readonly<Record<string, string>> = {
  build: NO_BUILD,
  builder: NO_BUILD,
  buildx: NO_BUILD,
  bake: NO_BUILD,
  compose: 'Start each service by lamella run -d, or from units of systemd(1).',
  config: NO_CLUSTER,
  context: 'There is no daemon to choose: --root DIR chooses a store.',
  info: 'lamella doctor says what this machine can do, lamella system df where space goes.',
  manifest: 'lamella image inspect NAME shows the manifest of an image.',
  network: NO_NETWORKS,
  node: NO_CLUSTER,
  plugin: 'lamella plugins looks after plugins.',
  scout: 'Give a scanner the archive: lamella save NAME -o FILE.',
  search: 'Look for images on the website of the registry; lamella pull NAME fetches one.',
  secret: NO_CLUSTER,
  service: NO_CLUSTER,
  stack: NO_CLUSTER,
  swarm: NO_CLUSTER,
  trust: 'Images are checked by their digests: lamella pull NAME@sha256:….',
  update: 'Limits are given when a container is made: lamella run --memory SIZE, --cpus NUMBER.',
  version: 'lamella --version prints it.',
  volume: NO_VOLUMES,
  'system info': 'lamella doctor says what this machine can do.',
  'system events': 'lamella events tells what happens to containers.',
  'system prune': 'lamella container prune removes containers that are over, lamella image prune what no image needs.',
  'image build': NO_BUILD,
};

/** What to do in place of a command of Docker's. */
export function dockerCommand(words: readonly string[]): string | undefined {
  for (const name of [words.slice(0, 2).join(' '), words[0] ?? '']) if (Object.hasOwn(INSTEAD, name)) return INSTEAD[name];
  return undefined;
}
