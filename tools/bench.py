"""Measure chipsim: `python tools/bench.py SUBJECT [options]`; a subject is a file bench_SUBJECT.py with a `main`."""
from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

SUBJECTS = sorted(f.stem.removeprefix("bench_") for f in Path(__file__).parent.glob("bench_*.py"))


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] not in SUBJECTS:
        print(f"usage: python tools/bench.py {{{','.join(SUBJECTS)}}} [options]", file=sys.stderr)
        return 2
    sys.path.insert(0, str(Path(__file__).parent))
    return import_module(f"bench_{arguments[0]}").main(arguments[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
