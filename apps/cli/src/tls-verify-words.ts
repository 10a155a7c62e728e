/** oclif reads `--tls-verify=false` as a mistake; podman and skopeo people write it all day. */
export function tlsVerifyWords(argv: readonly string[]): string[] {
  return argv.map((word) => (word === '--tls-verify=false' ? '--no-tls-verify' : word === '--tls-verify=true' ? '--tls-verify' : word));
}
