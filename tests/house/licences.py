#!/usr/bin/env python3
"""Every crate that is built in has a licence we may ship, and comes from the registry.

What `cargo deny` would check with the network, as far as it works without:
licences, sources, and crates that are there in several versions (told, no failure).
"""

import collections
import json
import re
import subprocess
import sys

ALLOWED = {
    "0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0",
    "ISC", "MIT", "MIT-0", "Unicode-3.0", "Unlicense", "Zlib",
}


def allowed(expression):
    """Whether one of the choices of an SPDX expression is allowed in all its parts."""
    text = expression.replace("/", " OR ").replace("(", " ").replace(")", " ")
    # Without precedence of brackets: `A AND (B OR C)` needs A, and B or C.
    if "(" in expression and " AND " in expression:
        parts = re.split(r"\s+AND\s+", expression)
        return all(allowed(part.strip().strip("()")) for part in parts)
    return any(
        all(term.strip() in ALLOWED for term in re.split(r"\s+AND\s+", choice))
        for choice in re.split(r"\s+OR\s+", text)
    )


def main():
    command = ["cargo", "metadata", "--format-version", "1", "--locked"]
    offline = subprocess.run(command + ["--offline"], capture_output=True, text=True, check=False)
    output = offline if offline.returncode == 0 else subprocess.run(command, capture_output=True, text=True, check=False)
    if output.returncode != 0:
        sys.exit(f"cargo metadata failed: {output.stderr.strip()}")
    packages = json.loads(output.stdout)["packages"]
    bad, versions = [], collections.defaultdict(set)
    for package in packages:
        name = f"{package['name']} {package['version']}"
        versions[package["name"]].add(package["version"])
        if not package["license"] or not allowed(package["license"]):
            bad.append(f"{name}: licence {package['license']!r} is not on the list")
        if package["source"] and not package["source"].startswith("registry+"):
            bad.append(f"{name}: comes from {package['source']}")
    twice = sorted(name for name, found in versions.items() if len(found) > 1)
    print(f"{len(packages)} crates; in several versions: {', '.join(twice) or 'none'}")
    if bad:
        sys.exit("\n".join(bad))


if __name__ == "__main__":
    main()
