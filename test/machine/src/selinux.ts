/**
 * Runs on the second kernel, when SELinux is its security module: bundles with labels. At first no policy is loaded, so the labels that there
 * are (the kernel's own names) change nothing but what a process is called. With a compiled policy as argument, files have some, too.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ociBundle } from '@lamella-test/scratch';

const at = '/run/oci';
mkdirSync(at);
const bundle = ociBundle({ path: at, join: (...parts) => path.join(at, ...parts), [Symbol.asyncDispose]: async () => undefined });
const label = ['cat', '/proc/self/attr/current'];

function tell(what: string, { stdout, stderr }: { readonly stdout: string; readonly stderr: string }): void {
  process.stdout.write(`${what}: ${stdout.replaceAll('\0', '').trim()}${stderr}\n`);
}

bundle.configure((config) => {
  config.process.args = label;
  config.process.selinuxLabel = 'unlabeled';
});
tell('asked', bundle.oci('run', 'asked'));
bundle.configure((config) => {
  config.process.args = label;
});
tell('not asked', bundle.oci('run', 'not-asked'));
bundle.configure((config) => {
  config.process.args = ['sleep', '1000'];
  config.process.selinuxLabel = 'unlabeled';
});
bundle.oci('run', '--detach', 'lasting');
tell('entered', bundle.oci('exec', 'lasting', ...label));
tell('entered with another', bundle.oci('exec', '--process-label', 'security', 'lasting', ...label));
bundle.oci('delete', '--force', 'lasting');
process.stdout.write(`left: ${(JSON.parse(bundle.oci('list', '--format', 'json').stdout) ?? []).length}\n`);

const [policy] = process.argv.slice(2);
if (policy !== undefined) {
  writeFileSync('/sys/fs/selinux/load', readFileSync(policy));
  bundle.configure((config) => {
    config.process.args = ['sh', '-c', 'cat /proc/self/attr/current; echo; grep -o " /dev/shm .*context=.*labelled_t:s0" /proc/self/mountinfo | cut -d" " -f2'];
    config.process.selinuxLabel = 'system_u:system_r:everything_t:s0';
    config.linux.mountLabel = 'system_u:object_r:labelled_t:s0';
  });
  tell('mounts labelled', bundle.oci('run', 'labelled'));
  bundle.configure((config) => {
    config.linux.mountLabel = 'nobody:knows:this:s0';
  });
  tell('a label that the policy has not', bundle.oci('run', 'refused'));
  process.stdout.write(`left: ${(JSON.parse(bundle.oci('list', '--format', 'json').stdout) ?? []).length}\n`);
}
