import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { requiresOverlayUppers, requiresProgram, requiresRoot, type ScratchDirectory, scratch } from '@lamella-test/scratch';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CLI } from './cli.js';

const UID = 65534;
/** 500 tries beside the storm, or as many as LAMELLA_WALK_SECONDS allow, and all of it as root, too. */
const IS_LONG = process.env.LAMELLA_LONG !== undefined;
const KINDS = { root: 0, 'an ordinary user': UID } as const;

/** What a script of a living machine wrote: all of stdout, and each line after a mark. */
interface Told {
  readonly stdout: string;
  readonly stderr: string;
  readonly status: number | null;
}

describe.each(Object.keys(KINDS) as (keyof typeof KINDS)[])('on a living machine, as %s', (kind) => {
  const uid = KINDS[kind];
  let at: ScratchDirectory;
  let home: string;
  /** A directory that everybody writes to. */
  let tmp: string;

  /**
   * Run a script as root in a new mount namespace. `as` runs a command as the user, `lamella` is that of the user's.
   * Nothing of it shows outside.
   */
  const machine = (script: string): Told => {
    const functions = `
      set -u
      as() { ${uid === 0 ? '"$@"' : `setpriv --reuid ${uid} --regid ${uid} --clear-groups "$@"`}; }
      lamella() { as ${process.execPath} ${CLI} "$@"; }
      export HOME=${home} LAMELLA_ROOT=${at.join('store')} TMPDIR=${tmp}; cd ${home} || exit 99`;
    const { stdout, stderr, status } = spawnSync('unshare', ['-m', 'bash', '-c', `${functions}\n${script}`], { encoding: 'utf8', timeout: 3_600_000 });
    return { stdout, stderr, status };
  };
  const own = (...files: string[]): void => {
    for (const file of files) chownSync(file, uid, uid);
  };

  beforeEach((context) => {
    requiresRoot(context);
    requiresOverlayUppers(context);
    for (const program of ['unshare', 'setpriv', 'bash']) requiresProgram(context, program);
    at = scratch();
    chmodSync(at.path, 0o755);
    home = at.join('home');
    tmp = at.join('tmp');
    mkdirSync(tmp);
    chmodSync(tmp, 0o1777);
    mkdirSync(home);
    mkdirSync(at.join('store'));
    mkdirSync(`${home}/project/src`, { recursive: true });
    writeFileSync(`${home}/.bashrc`, 'one\n');
    writeFileSync(`${home}/old`, 'old\n');
    writeFileSync(`${home}/moved`, 'moved\n');
    writeFileSync(`${home}/project/src/a`, 'a\n');
    mkdirSync(`${home}/mnt`);
    own(home, at.join('store'), `${home}/project`, `${home}/project/src`, `${home}/project/src/a`, `${home}/mnt`);
    own(`${home}/.bashrc`, `${home}/old`, `${home}/moved`);
  });
  afterEach(() => at?.[Symbol.asyncDispose]());

  test.runIf(uid !== 0 || IS_LONG)('a directory with other mounts below it can be written to, and what was done there is applied', { timeout: 60_000 }, () => {
    const work = `echo two >> .bashrc; rm old; mv moved renamed; echo new > new; mv project other; echo b > other/src/b; echo m > mnt/m; echo t > ${tmp}/t; mkdir ${tmp}/d`;
    const { stdout, stderr } = machine(`
      mount -t tmpfs -o mode=777 tmpfs mnt; as mkdir ${tmp}/there; mount -t tmpfs -o mode=777 tmpfs ${tmp}/there; echo theirs > ${tmp}/theirs
      lamella try -n '${work}'; id=$(lamella ps -aq); echo "status $?"
      test -e ${tmp}/t && echo leaked; cat .bashrc
      lamella changes --json $id | sed 's/^/change /'
      lamella apply $id; cat .bashrc renamed new other/src/a other/src/b mnt/m ${tmp}/t; ls -d old moved project ${tmp}/d 2>&1
      lamella apply --undo $id; cat .bashrc old moved project/src/a; ls -A . mnt ${tmp}
      lamella discard $id`);
    expect(stderr).not.toMatch(/read-only|EBUSY|Permission|cannot|not shown/i);
    expect(stdout).not.toContain('leaked');
    const changes = stdout
      .split('\n')
      .filter((line) => line.startsWith('change '))
      .map((line) => JSON.parse(line.slice(7)) as { kind: string; path: string });
    expect(changes.map((each) => `${each.kind} ${each.path.replace(home, '~').replace(tmp, '^')}`).toSorted()).toEqual(
      [
        'modified ~/.bashrc',
        'added ~/mnt/m',
        'deleted ~/moved',
        'added ~/new',
        'deleted ~/old',
        'added ~/other',
        'added ~/other/src',
        'added ~/other/src/a',
        'added ~/other/src/b',
        'deleted ~/project',
        'deleted ~/project/src',
        'deleted ~/project/src/a',
        'added ~/renamed',
        'added ^/d',
        'added ^/t',
      ].toSorted(),
    );
    expect(stdout).toContain('one\ntwo\nmoved\nnew\na\nb\nm\nt\n');
    expect(stdout).toContain('one\nold\nmoved\na\n');
  });

  test.runIf(uid !== 0 || IS_LONG)('what the host changed, or what was not shown, is a conflict', { timeout: 60_000 }, () => {
    const { stdout, stderr } = machine(`
      mount -t tmpfs -o mode=777 tmpfs mnt
      lamella try -n 'echo two >> .bashrc; echo x > late; rm old'
      echo host >> .bashrc; as sh -c 'echo host > late'
      lamella apply $(lamella ps -aq); echo "status $?"; cat .bashrc late old; lamella discard $(lamella ps -aq)`);
    expect(stdout).toContain('status 125\none\nhost\nhost\nold\n');
    expect(stderr).toMatch(/\.bashrc.*late|late.*\.bashrc/);
  });

  test('mounts may go and come between two commands in one box', { timeout: 60_000 }, () => {
    const { stdout, stderr } = machine(`
      as mkdir box ${tmp}/a ${tmp}/b; mount -t tmpfs -o mode=777 tmpfs ${tmp}/a; mount -t tmpfs -o mode=777 tmpfs mnt
      lamella try -D box 'echo 1 > ${tmp}/a/one; echo 1 > mnt/one; echo 1 > one'; echo "status $?"
      umount ${tmp}/a; mount -t tmpfs -o mode=777 tmpfs ${tmp}/b
      lamella try -D box 'cat one mnt/one; echo 2 > ${tmp}/b/two; echo 2 > two; ls ${tmp}/a'; echo "status $?"
      umount mnt; rmdir mnt
      lamella try -D box 'cat one two ${tmp}/b/two; echo 3 > three'; echo "status $?"
      id=$(lamella ps -aq --root box)
      lamella changes --root box $id; lamella apply --root box $id && echo applied
      lamella apply --root box $id ${home}/one ${home}/two ${home}/three ${tmp}/b; cat one two three ${tmp}/b/two; ls ${tmp}/a
      lamella try -D box 'echo again'; as rm -rf box; test -e box && echo left`);
    expect(stdout.match(/status \d+/g)).toEqual(['status 0', 'status 0', 'status 0']);
    expect(stdout).toContain('1\n1\nstatus');
    expect(stdout).toContain('1\n2\n2\nstatus');
    expect(stdout).toMatch(/1\n2\n3\n2\n/);
    expect(stdout).toContain('again');
    expect(stdout).not.toContain('left');
    expect(stderr).toContain(`lamella: ${tmp}/a is not what it was before`);
    // What was written there is not left out without a word.
    expect(stdout).not.toContain('applied\n');
    expect(stderr).toMatch(/cannot be applied: .*one/);
  });

  test.runIf(uid !== 0 || IS_LONG)('a directory of the user’s below somebody else’s can be written to', { timeout: 60_000 }, () => {
    const deep = at.join('srv/team/private/mine');
    const shared = at.join('srv/shared/deep');
    mkdirSync(deep, { recursive: true });
    mkdirSync(shared, { recursive: true });
    own(deep);
    chmodSync(shared, 0o777);
    writeFileSync(`${deep}/f`, 'one\n');
    own(`${deep}/f`);
    const { stdout, stderr } = machine(`
      lamella try -y 'echo two >> ${deep}/f; mkdir ${deep}/new; echo n > ${deep}/new/n; echo s > ${shared}/s'; echo "status $?"
      cat ${deep}/f ${deep}/new/n ${shared}/s
      cd /; d=${deep}; lamella try -y sh -c 'cd /; printf three >> "$(printf %s%s ${at.join('srv/team/private')} /mine/f)"'; cat ${deep}/f`);
    expect(stdout).toContain('status 0\none\ntwo\nn\ns\none\ntwo\nthree');
    expect(stderr).not.toMatch(/too large|EOVERFLOW/);
  });

  test.runIf(uid !== 0)('what cannot be as on the host is said first', { timeout: 60_000 }, () => {
    mkdirSync(`${home}/large`);
    own(`${home}/large`);
    for (let i = 0; i < 100; i++) writeFileSync(`${home}/large/${i}`, '');
    const { stdout, stderr } = machine(`
      mount -t tmpfs -o mode=777 tmpfs mnt; as truncate -s 100M huge; as mkfifo fifo; as ln -s nowhere link
      as ${process.execPath} -e 'require("net").createServer().listen("socket", () => process.kill(process.pid, 9))' 2>/dev/null
      for i in $(seq 100); do : > ${tmp}/root-$i; done; as mkdir ${tmp}/m; mount -t tmpfs tmpfs ${tmp}/m
      lamella try -n 'ls | sort | tr "\\n" " "; test -p fifo && echo fifo; readlink link; echo x > large/new; ls ${tmp} | wc -l; touch a b'; echo "status $?"`);
    expect(stderr).toMatch(/^lamella: .*home has other mounts below it\. .*read-only: huge.*impossible to rename or remove: large\.$/m);
    expect(stdout).toMatch(/fifo.*huge large link mnt moved old project/);
    expect(stdout).toContain('nowhere\n');
    expect(Number(/^\d+$/m.exec(stdout)?.[0])).toBeGreaterThan(100);
    expect(existsSync(`${home}/a`)).toBe(false);
  });

  test.runIf(uid !== 0)('names of others by the hundred do not take the place of the system', { timeout: 60_000 }, () => {
    const { stdout, stderr } = machine(`
      for i in $(seq 900); do : > ${tmp}/theirs-$i; done; as mkdir ${tmp}/m; mount -t tmpfs tmpfs ${tmp}/m; mount -t tmpfs -o mode=777 tmpfs mnt
      lamella try -n sh -c 'cat .bashrc project/src/a; ls -d /usr /etc; echo 2 >> old; wc -c < ${tmp}/theirs-1' sh ${tmp}/theirs-*; echo "status $?"; lamella changes $(lamella ps -aq)`);
    expect(stdout).toMatch(/^one\na\n\/etc\n\/usr\n0\nstatus 0\nM .*home\/old/);
    expect(stderr).toMatch(/tmp has other mounts below it\. .* not shown: theirs-/);
    expect(stderr).not.toContain('/ has other mounts below it');
  });

  test('names that are not UTF-8 are there beside a mount, too', { timeout: 60_000 }, () => {
    const { stdout, stderr } = machine(`
      bad=$(printf 'b\\377d'); as mkdir "$bad" "$bad/in"; as sh -c "echo own > "$bad/f"; echo top > "$bad.txt""; mount -t tmpfs -o mode=777 tmpfs mnt
      lamella try -n 'cat b?d/f b?d.txt; cd b?d/in; echo new > n; cd ../..; echo more | tee -a b?d.txt >/dev/null' 2>id; echo "status $?"
      lamella apply $(tail -n 1 id) > /dev/null; cat "$bad/in/n" "$bad.txt"; ls -d b?d* | wc -l`);
    expect(stderr).toBe('');
    expect(stdout).toBe('own\ntop\nstatus 0\nnew\ntop\nmore\n2\n');
  });

  test('a mount that is gone keeps its own changes back, and no others', { timeout: 60_000 }, () => {
    const { stdout, stderr } = machine(`
      mount -t tmpfs -o mode=777 tmpfs mnt; lamella try -n 'echo a >mnt/f; echo b >g; echo c >h' 2>id; id=$(tail -n 1 id)
      umount mnt; lamella changes $id | sed 's/^/gone /'; lamella apply $id; echo "status $?"; ls g h
      lamella apply $id ${home}/g; echo "status $?"; cat g; ls mnt; lamella checkpoint $id >/dev/null; echo "status $?"
      mount -t tmpfs -o mode=777 tmpfs mnt; as touch mnt/theirs; lamella changes $id | sed 's/^/other /'
      lamella apply $id ${home}/h; echo "status $?"; cat h; ls mnt; lamella apply $id ${home}/mnt; echo "status $?"; ls mnt; lamella rm $id`);
    expect([...stdout.matchAll(/^gone A .*\/(\w+) /gm)].map(([, name]) => name).toSorted()).toEqual(['f', 'g', 'h']);
    expect([...stdout.matchAll(/^other A .*\/(\w+) /gm)].map(([, name]) => name).toSorted()).toEqual(['f', 'h']);
    expect(stdout.match(/status \d+/g)?.map((each) => Number(each.slice(7)))).toEqual([125, 0, 0, 0, 125]);
    expect(stderr).toMatch(/mnt, a directory in the view of the container \w+, is not what it was .*cannot be applied: .*mnt\/f/);
    expect(stdout).toMatch(/b\nstatus 0\n[\s\S]*c\ntheirs\nstatus 125\ntheirs\n/);
  });

  test('nothing fails while others make and remove names, and mounts come and go', { timeout: 3_600_000 }, () => {
    const runs = IS_LONG ? 500 : 8;
    // Targets of a link that replaces a directory during the walk; the names are those that the directory has.
    mkdirSync(at.join('elsewhere/d'), { recursive: true });
    own(at.join('elsewhere'), at.join('elsewhere/d'));
    const { stdout, stderr } = machine(`
      as mkdir ${tmp}/m0; mount -t tmpfs tmpfs ${tmp}/m0; mount -t tmpfs -o mode=777 tmpfs mnt
      (while :; do for i in 1 2 3 4 5 6 7 8; do
        mkdir -p ${tmp}/d$i/e; : > ${tmp}/f$i; ln -sf x ${tmp}/l$i; : > ${home}/f$i; mkdir -p ${home}/d$i; chown ${uid}:${uid} ${tmp}/d$i ${tmp}/f$i ${home}/f$i ${home}/d$i 2>/dev/null
      done; rm -rf ${tmp}/d? ${tmp}/f? ${tmp}/l? ${home}/f? ${home}/d?; done) 2>/dev/null & names=$!
      (while :; do for i in 1 2 3 4; do for at in ${tmp} ${home}; do
        for make in mkdir 'mkfifo' 'ln -s ${at.join('elsewhere')}' ': >' 'mkdir -m 700'; do rm -rf $at/t$i; as sh -c "$make $at/t$i"; as sh -c "echo in >$at/t$i/in; mkdir $at/t$i/d" & sleep 0.00$i; wait $!; done
      done; done; done) 2>/dev/null & types=$!
      (while :; do mkdir -p -m 755 ${tmp}/places; mkdir -m 1777 ${tmp}/places/open; rm -rf ${tmp}/places; done) 2>/dev/null & places=$!
      (while :; do mkdir -p ${tmp}/m1 && mount -t tmpfs tmpfs ${tmp}/m1; sleep 0.02; umount -l ${tmp}/m1; rmdir ${tmp}/m1; done) 2>/dev/null & mounts=$!
      # Without a pause, one below the other, in directories that become files: a survey seldom holds until its mounts are made.
      (while :; do for i in 1 2 3; do at=${tmp}/n$i
        rm -rf $at; mkdir -p $at/a/b; mount -t tmpfs tmpfs $at/a; mkdir $at/a/c; mount -t tmpfs tmpfs $at/a/c; umount $at/a/c; umount $at/a; rm -rf $at/a; : > $at/a
      done; done) 2>/dev/null & nested=$!
      end=$(($(date +%s) + ${process.env.LAMELLA_WALK_SECONDS ?? 3000}))
      for i in $(seq ${runs}); do [ $(date +%s) -lt $end ] || break; lamella try -n 'echo x > ${tmp}/own && echo y > ~/own && echo two >> ~/.bashrc && rm ~/old && cat ~/.bashrc' >out 2>err || { echo FAILED; cat out err; }; lamella discard $(tail -n 1 err) >/dev/null; done
      kill $names $types $places $mounts $nested; wait; umount -l ${tmp}/m1; echo done`);
    expect(`${stdout}${stderr}`).not.toContain('FAILED');
    expect(stdout).toContain('done');
    expect(readdirSync(at.join('elsewhere')).filter((name) => name !== 'in')).toEqual(['d']);
    expect(readFileSync(`${home}/.bashrc`, 'utf8')).toBe('one\n');
    rmSync(`${home}/err`, { force: true });
    expect(readdirSync(home)).not.toContain('own');
  });
});
