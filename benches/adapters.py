"""chasm's commands for the bench tool: name this file by BENCH_ADAPTERS.

It is run at the end of the tool's own table of commands, so ADAPTERS and CHASM
are there. The entries differ in how files come into the repository:

    chasm        copies (or reflinks) large files into the pool
    chasm-link   lets the pool link the files of the tree, as a mirror does
"""

COMMANDS = {
    **ADAPTERS["chasm"],  # noqa: F821 -- the tool defines it
    "init": f'{CHASM} -q init --bare "$REPO"',  # noqa: F821
    "commit": f'{CHASM} -q -R "$REPO" commit "$TREE" -m "$LABEL" --tag "$LABEL" >/dev/null',  # noqa: F821
    "update": f'{CHASM} -q -R "$REPO" checkout "$LABEL" "$DEST" --copy',  # noqa: F821
}
# What is not built yet is left out of the run.
for key in ("serve", "clone", "pull"):
    COMMANDS.pop(key, None)

ADAPTERS["chasm"] = COMMANDS  # noqa: F821
ADAPTERS["chasm-link"] = {  # noqa: F821
    **COMMANDS,
    "commit": COMMANDS["commit"].replace("commit ", "commit --link ", 1),
    "update": COMMANDS["update"].replace(" --copy", ""),
}
