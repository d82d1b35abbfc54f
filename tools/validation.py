"""Write docs/reference/validation.md, or the sections of some tables of it, from what the cases give now.

    CHIPSIM_VALIDATION=FOLDER python tools/validation.py             # every table, slow cases included
    python tools/validation.py truenorth loihi                       # these sections; the others stay

Golden data that some cases need is looked for in the folder that CHIPSIM_VALIDATION names.
"""
from __future__ import annotations

import re
import sys
from inspect import cleandoc
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
PAGE = ROOT / "docs" / "reference" / "validation.md"
HEAD = """\
# Validation

Published numbers beside those that chipsim simulates: every workload is laid out, simulated and priced.
`chipsim validate` runs the quick cases and prints the same table (exit code 4 when one misses); `--full` adds those
that take long. This page is written by `python tools/validation.py`.

*Within* is the tolerance of the case. *Constants* says what the error is worth:
**restated**, the chip file has this very number, and the case tests that the simulation accounts for it; **fitted**,
constants were fitted on the data of this table; **predicted**, neither. A figure with a range has a workload with
unknowns: what was assumed is said, and the range is what sweeping it gives; **inside** means that the range holds the
published number.
"""


def sections(page: str) -> dict[str, str]:
    """Section of each table on the page."""
    return {part.partition("\n")[0].strip(): f"## {part}" for part in re.split(r"^## ", page, flags=re.MULTILINE)[1:]}


def section(name: str) -> str:
    """Run all cases of a table and write them down."""
    from chipsim import validation
    from chipsim.validation import render

    module = validation.tables()[name]
    results = list(validation.run({name: module.CASES}, full=True))
    if missing := [r.case.name for r in results if r.verdict == "no data"]:
        sys.exit(f"{name}: no golden data for {', '.join(missing)}: set CHIPSIM_VALIDATION")
    print(name, render.summary(results), f"{sum(r.cpu_s for r in results):.1f} s", sep="   ")
    return render.to_section(name, cleandoc(module.__doc__ or ""), results)


def main() -> int:
    from chipsim import validation

    known = list(validation.tables())
    old = sections(PAGE.read_text(encoding="utf-8")) if PAGE.exists() else {}
    wanted = sys.argv[1:] or known
    new = {name: section(name) if name in wanted else old.get(name, "") for name in known}
    PAGE.write_text("\n".join([HEAD, *(text.rstrip("\n") + "\n" for text in new.values() if text)]), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
