/** Words of `run`; `A`, `B` and `ETC` are directories of the host, `F` a file, each at the beginning of a path or after an equals sign. */
export const SHOWN: readonly string[] = [
  // A directory comes before what is in it, whatever the order.
  '-v A:/a/b:ro -v B:/a',
  '-v A:/new/deep/place:cached,z -v A:/rw:rw -v A:/read/:ro,rprivate,Z',
  '-v F:/file:delegated -v F:/etc/hosts:ro -v F:/etc/hostname -v F:/etc/resolv.conf:consistent -v F:/run/f -v F:/tmp/f -v F:/dev/f',
  '-v /dev/null:/null -v /dev/zero:/deep/zero:ro',
  '--tmpfs /t:size=64m,mode=1777 --tmpfs /t/below:mode=0700 --tmpfs /plain',
  '--mount type=bind,src=A,dst=/m,readonly --mount type=bind,source=A,target=/mt --mount type=bind,src=F,destination=/mf,ro=true,bind-propagation=rprivate',
  '--mount type=tmpfs,dst=/mtmp,tmpfs-size=1m,tmpfs-mode=0750 --mount "type=bind","src=A/with,comma",dst=/comma',
  '-v A:/dev/shm/x -v /anonymous --mount type=volume,dst=/anonymous2',
];

/** What is looked at inside. */
export const SHOWN_AT: readonly string[] = [
  ...['/a', '/a/b', '/new/deep/place', '/rw', '/read', '/file', '/etc/hosts', '/etc/hostname', '/etc/resolv.conf', '/run/f', '/tmp/f', '/dev/f'],
  ...['/null', '/deep/zero', '/t', '/t/below', '/plain', '/m', '/mt', '/mf', '/mtmp', '/comma', '/dev/shm/x', '/anonymous', '/anonymous2'],
];

/** Tells of each: what it is, what is in it, whether it can be written to, and how it is mounted. */
export const PROBE = `for p; do
  echo "== $p $(stat -c '%F %a' "$p")"
  if [ -d "$p" ]; then ls -A "$p"; if touch "$p/.w" 2>/dev/null; then echo writable; rm "$p/.w"; fi
  elif [ -c "$p" ]; then head -c 2 "$p" | od -An -tx1; echo x 2>/dev/null >"$p" && echo writable
  else cat "$p"; ( : >>"$p" ) 2>/dev/null && echo writable; fi
  awk -v p="$p" '$5 == p { split($6, o, ","); for (i = 7; $i != "-"; i++); print "mount", o[1], $(i + 1) == "tmpfs" ? "tmpfs" : "" }' /proc/self/mountinfo
  if mount | grep -q " on $p type tmpfs"; then df -k "$p" | awk 'NR == 2 && $2 < 100000 { print $2 }'; fi
done`;

/** Words that both refuse before there is a container. */
export const REFUSED: readonly string[] = [
  ...['A:a', 'A:/', 'A:/..', 'A:/x/..', 'A:/x:ro,rw', 'A:/x:z,Z', 'A:/x:bad', 'A:/x:ro,', 'A:/x:ro:z', 'A:/x:RO', ':/x', 'A:', 'A:/x:rprivate,rslave'].map(
    (each) => `-v ${each}`,
  ),
  '-v A:/x:U',
  '-v A:/x -v B:/x',
  '-v A:/x -v B:/y/../x/',
  '-v A:/x --tmpfs /x',
  '-v A:/x --mount type=bind,src=B,dst=/x',
  '--mount type=bind,src=A',
  '--mount type=bind,dst=/x',
  '--mount type=bind,src=/nosuch,dst=/x',
  '--mount type=bind,src=A,dst=x',
  '--mount type=bind,src=A,dst=/',
  '--mount type=bogus,src=A,dst=/x',
  '--mount type=bind,src=A,dst=/x,foo=bar',
  '--mount type=bind,src=A,dst=/x,foo',
  '--mount type=bind,src=A,dst=/x,ro=maybe',
  '--mount type=bind,src=A,dst=/x,tmpfs-size=1m',
  '--mount type=bind,src=A,dst=/x,bind-propagation=odd',
  '--mount type=tmpfs,src=A,dst=/x',
  '--mount type=tmpfs,dst=/x,tmpfs-mode=9',
  '--mount type=tmpfs,dst=/x,tmpfs-size=much',
  '--mount type=bind,"src=A,dst=/x',
  '--mount A:/x',
];
