/** Makes `src` in the container: files, links of all kinds, and what is neither. */
export const INSIDE = `mkdir -p /src/dir/sub /src/empty
echo file >/src/file; echo one >/src/dir/one; echo two >/src/dir/sub/two; ln -s one /src/dir/side; ln -s sub /src/dir/down
ln -s dir /src/linkdir; ln -s file /src/linkfile; ln -s nowhere /src/dangling; ln -s /src/dir /src/abslink; ln -s ../../../../src/dir /src/manyup
ln -s loop /src/loop; ln -s /src/linkdir /src/chain; mkfifo /src/fifo; ln /src/dir/one /src/dir/hard
chmod 750 /src/dir/sub; chmod 4755 /src/file; chmod 600 /src/dir/one`;

/** Makes where a copy goes, in the working directory: on the host, and in the container for each case. */
export const TARGETS = `mkdir -p d/sub full/sub hdir over/one overlink; echo old >f; echo x >full/one
ln -s d tod; ln -s f tof; ln -s new ton; ln -s nosuch/x tobad; ln -s ../d overlink/sub; ln -s ringa ringb; ln -s ringb ringa
echo host >hfile; echo h1 >hdir/one; ln -s one hdir/rel; ln -s /etc/passwd hdir/abs; ln hdir/one hdir/hard; chmod 640 hfile hdir/one
ln -s hdir hlink; ln -s hfile hlinkf; ln -s nowhere hdang; mkfifo hfifo`;

/** Words of `cp` before and at SRC, from the container; where they go on the host. */
export const OUT: readonly (readonly [source: string, ...destinations: string[]])[] = [
  ['C:/src/file', '.', 'new', 'new/', 'f', 'f/', 'd', 'd/', 'd/.', 'nosuch/x', 'tod', 'tof', 'ton', 'tobad', 'ringa', 'over/one', 'hfifo'],
  ['C:/src/file/', 'd'],
  ['C:/src/file/.', 'd'],
  ['C:/src/nosuch', 'd'],
  ['C:src/file', 'd'],
  ['C:/src/linkdir/../file', 'd'],
  ['C:/src/dir', '.', 'new', 'new/', 'f', 'd', 'tod', 'tof', 'ton', 'nosuch/x'],
  ['C:/src/dir/', 'd', 'new'],
  ['C:/src/dir/.', 'd', 'new', 'f', 'full', 'over', 'overlink'],
  ['C:/src/empty', 'd'],
  ['C:/src/empty/.', 'd', 'new'],
  ['C:/src/linkdir', 'd', 'new', 'f'],
  ['C:/src/linkdir/', 'd', 'new'],
  ['C:/src/linkdir/.', 'd', 'new', 'f'],
  ['C:/src/linkfile', 'd', 'new', 'f'],
  ['C:/src/linkfile/', 'd'],
  ['C:/src/dangling', 'd', 'new'],
  ['C:/src/abslink', 'd'],
  ['C:/src/abslink/.', 'new'],
  ['C:/src/manyup/.', 'd'],
  ['C:/src/chain', 'new'],
  ['C:/src/chain/.', 'new'],
  ['-L C:/src/linkdir', 'd', 'new', 'f'],
  ['-L C:/src/linkdir/', 'new'],
  ['-L C:/src/linkdir/.', 'new'],
  ['-L C:/src/linkfile', 'd', 'new', 'f'],
  ['-L C:/src/dangling', 'd'],
  ['-L C:/src/chain', 'd'],
  ['-L C:/src/loop', 'd'],
  ['-L C:/src/manyup', 'new'],
  ['-L C:/src/file', 'new'],
  ['-L C:/src/dir', 'new'],
  ['-a C:/src/dir', 'new'],
  ['C:/src/fifo', 'd', 'new'],
];

/** The other way. */
export const IN: typeof OUT = [
  ['hfile', 'd', 'd/', 'new', 'new/', 'f', 'f/', 'nosuch/x', 'tod', 'tof', 'ton', 'tobad', 'over/one', 'hfifo'],
  ['hfile/', 'd'],
  ['nosuch', 'd'],
  ['hdir', '.', 'd', 'new', 'new/', 'f', 'tod', 'tof', 'ton'],
  ['hdir/', 'd', 'new'],
  ['hdir/.', 'd', 'new', 'f', 'over'],
  ['d/.', 'overlink'],
  ['hlink', 'd', 'new', 'f'],
  ['hlink/', 'd', 'new'],
  ['hlink/.', 'd', 'new'],
  ['-L hlink', 'd', 'new'],
  ['-L hlink/', 'd'],
  ['-L hlink/.', 'd'],
  ['hlinkf', 'd', 'new'],
  ['-L hlinkf', 'd', 'new', 'f'],
  ['hlinkf/', 'd'],
  ['hdang', 'd'],
  ['-L hdang', 'd'],
  ['-a hdir', 'new'],
  ['hfifo', 'd', 'new'],
  ['.', 'd'],
  ['./.', 'd'],
];

/** What is written to stdout as a tar. */
export const TO_STDOUT: readonly string[] = ['C:/src/file', 'C:/src/dir/.', 'C:/src/linkdir', 'C:/src/linkdir/', '-L C:/src/linkdir', 'C:/src/nosuch'];

/** Which cases a quick run leaves to others: those that differ in one word of another only. */
export function isQuick(index: number): boolean {
  return index % 4 === 0;
}
