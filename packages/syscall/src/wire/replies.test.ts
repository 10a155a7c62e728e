import { expect, test } from 'vitest';
import { type Reply, replyParser } from './replies.js';

function data(index: number, text: string): Buffer {
  const content = Buffer.from(text);
  const header = Buffer.alloc(20);
  header.writeUInt32LE(20 + content.length, 0);
  header.writeUInt16LE(4, 4);
  header.writeUInt32LE(index, 8);
  return Buffer.concat([header, content]);
}

test('replies are the same however the bytes come', () => {
  const texts = ['', 'a', 'some more', 'x'.repeat(300), ''];
  const bytes = Buffer.concat(texts.map((text, i) => data(i, text)));
  for (const step of [1, 2, 3, 7, 19, 20, 21, 23, 64, 150, bytes.length]) {
    const found: Reply[] = [];
    const parse = replyParser((reply) => found.push(reply));
    for (let at = 0; at < bytes.length; at += step) parse(Buffer.from(bytes.subarray(at, at + step)));
    expect(found.map((reply) => (reply.kind === 'data' ? [reply.index, reply.data.toString()] : reply))).toEqual(texts.map((text, i) => [i, text]));
  }
});
