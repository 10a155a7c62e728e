/**
 * Arguments of a separate Node process with an image store, for tests in which several processes act at once.
 *
 * @param index absolute path of the built @lamella/image
 * @param body code that finds `ImageStore` and `store`
 */
export function storeScript(index: string, root: string, body: string): string[] {
  const lead = `import { ImageStore } from ${JSON.stringify(index)}; const store = new ImageStore(${JSON.stringify(root)});`;
  return ['--input-type=module', '-e', `${lead} ${body}`];
}
