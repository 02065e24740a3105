#!/usr/bin/env python3
"""Measures the local core on one tree, each operation beside what it is compared with.

    benches/local.py HOME WORK [--rounds N] [--ostree] [--goto 'COMMAND {state}']

HOME is a data set with a directory `tree`; WORK a scratch directory on the same file
system; the command of --goto brings the tree to state 0 or 1. CHASM names the binary
(default: target/release/chasm). Each round runs all operations in turn, so that a
machine whose speed drifts slows all of them; medians are printed as they would stand
in RESULTS.md. Run it on an idle machine: wall times are compared.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import time

# openssl uses the processor's SHA instructions, as chasm does; sha256sum does not.
FLOOR = "find {tree} -type f -print0 | xargs -0 -P 2 -n 4000 openssl dgst -sha256"


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("home")
    ap.add_argument("work")
    ap.add_argument("--rounds", type=int, default=3)
    ap.add_argument("--ostree", action="store_true")
    ap.add_argument("--copies", action="store_true", help="the first checkout beside cp -a, which take long")
    ap.add_argument("--goto")
    o = ap.parse_args()
    tree = os.path.join(o.home, "tree")
    chasm = os.path.abspath(os.environ.get("CHASM", "target/release/chasm"))
    rows = {}

    def run(name, command, check=True):
        subprocess.run(["sync", "-f", o.work], check=True)
        start = time.perf_counter()
        child = subprocess.Popen(["bash", "-c", command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        error = child.stderr.read()
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - start
        if check and status:
            raise SystemExit(f"{name}: {error.decode(errors='replace')}")
        rows.setdefault(name, []).append((wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000))
        print(f"  {name}: {wall:.2f} s, {usage.ru_utime + usage.ru_stime:.2f} CPU s", flush=True)

    def goto(state):
        if o.goto:
            subprocess.run(o.goto.format(state=state), shell=True, check=True, stdout=subprocess.DEVNULL)

    def size(path):
        return sum(os.path.getsize(os.path.join(d, f)) for d, _, fs in os.walk(path) for f in fs)

    for n in range(o.rounds):
        print(f"round {n + 1}", flush=True)
        work = os.path.join(o.work, f"round-{n}")
        os.makedirs(work)
        r = f"{chasm} -q -R {work}/repo"
        goto(0)
        subprocess.run(f"find {tree} -type f -print0 | xargs -0 cat > /dev/null", shell=True, check=True)
        run("find -printf", f"find {tree} -printf '%s %T@ %p\\n'")
        run("reading and hashing with two threads", FLOOR.format(tree=tree))
        subprocess.run(f"{chasm} -q init --bare {work}/repo", shell=True, check=True)
        run("first commit, --link", f"{r} commit {tree} -m s0 --tag s0 --link")
        run("commit without change", f"{r} commit {tree} -m n --link")
        run("cp -al", f"cp -al {tree} {work}/linked")
        run("checkout by hard links", f"{r} checkout s0 {work}/out --require-link")
        goto(1)
        before = size(f"{work}/repo/packs")
        run("commit of a step", f"{r} commit {tree} -m s1 --tag s1 --link")
        rows.setdefault("metadata of a step, bytes", []).append((size(f"{work}/repo/packs") - before, 0, 0))
        run("checkout from one state to the next", f"{r} checkout s1 {work}/out")
        run("diff of two states", f"{r} diff s0 s1")
        run("fsck --quick", f"{r} fsck --quick")
        run("fsck", f"{r} fsck")
        if o.copies:
            goto(0)
            c = f"{chasm} -q -R {work}/copies"
            subprocess.run(f"{chasm} -q init --bare {work}/copies", shell=True, check=True)
            run("first commit, by copy", f"{c} commit {tree} -m s0 --tag s0")
            run("cp -a", f"cp -a {tree} {work}/copied")
            run("the first checkout of small files", f"{c} checkout s0 {work}/first")
        if o.ostree:
            goto(0)
            subprocess.run(f"mkdir {work}/ostree && ostree --repo={work}/ostree init --mode=bare", shell=True, check=True)
            commit = f"ostree --repo={work}/ostree commit -b main --tree=dir={tree}"
            run("ostree: first commit", commit)
            run("ostree: commit without change", commit)
            run("ostree: checkout by hard links", f"ostree --repo={work}/ostree checkout -H main {work}/ostree-out")
        # Removing costs more than anything measured: it goes on beside nothing.
        shutil.rmtree(work, ignore_errors=True)
        time.sleep(6)

    print("\n| operation | wall s | CPU s | memory MB |\n|---|---|---|---|")
    for name, runs in rows.items():
        wall, cpu, rss = (statistics.median(column) for column in zip(*runs))
        print(f"| {name} | {wall:.3f} | {cpu:.2f} | {rss:.0f} |")


if __name__ == "__main__":
    main()
