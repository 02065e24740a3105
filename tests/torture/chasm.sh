# chasm, for the battery; sourced. CHASM names the program; the release build if not set.
CHASM=${CHASM:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/target/release/chasm}
T="'$CHASM' -q -R {repo}"
PREPARE="'$CHASM' -q init --bare --pool-threshold 16384 {repo} && rm -rf {work}/new && mkdir -p {work}/new && echo base > {work}/new/base && $T commit -b main {work}/new"
STORE=". '$HERE/tools/common.sh'; set -e -o pipefail; rm -rf {work}/new; mkdir -p {work}/new; for i in 1 2 3 4 5 6; do new_state {work}/new \$i 300; c=\$($T commit -b main --allow-delete {work}/new); echo \"ACK \$c\"; done"
ONCE="set -e -o pipefail; c=\$($T commit -b main --allow-delete --allow-empty {tree}); echo \"ACK \$c\""
CHECK="$T fsck"
SURVIVORS="$T log --ids main"
AGAIN="mkdir -p {work}/new && date +%N > {work}/new/again && $T commit -b main --allow-delete {work}/new"
UNLOCK=''
GC="$T gc --grace 0"
READ="$T checkout --copy main {out}"
SAME='diff -r --no-dereference {good} {out}'
DATA='pool/*/* packs/*.pack packs/*.idx refs journal config format'
