"""chasm's entries for the bench against its peers; BENCH_ADAPTERS names this file.

Run at the end of the bench's own table, whose names (ADAPTERS, CHASM) it uses.
"""

_chasm = f'{CHASM} -q -R "$REPO"'  # noqa: F821

ADAPTERS["chasm"] = {  # noqa: F821
    "version": f"{CHASM} --version",  # noqa: F821
    "init": f'{CHASM} -q init --bare "$REPO"',  # noqa: F821
    "commit": f'{_chasm} commit "$TREE" -b main -m "$LABEL" --tag "$LABEL" >/dev/null',
    "checkout": f'{_chasm} checkout "$LABEL" "$DEST" --copy',
    "checkout_link": f'{_chasm} checkout "$LABEL" "$DEST" --require-link',
    "update": f'{_chasm} checkout "$LABEL" "$DEST"',
    "diff": f'{_chasm} diff "$A" "$B"',
    "check": f"{_chasm} fsck",
    "drop": f'for l in $DROP; do {_chasm} tag --delete "$l"; done',
    "gc": f"{_chasm} gc --grace 0",
}

# The pool takes over the files of the tree, as a mirror would have it.
ADAPTERS["chasm-link"] = {  # noqa: F821
    **ADAPTERS["chasm"],  # noqa: F821
    "commit": f'{_chasm} commit "$TREE" -b main -m "$LABEL" --tag "$LABEL" --link >/dev/null',
}
