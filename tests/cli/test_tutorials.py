"""Every command in the README and the tutorials runs, and prints what the page shows."""
from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tutorials import agrees, environment, prepare, refreshed, run, steps

ROOT = Path(__file__).resolve().parents[2]
PAGES = ["README.md", *sorted(p.relative_to(ROOT).as_posix() for p in (ROOT / "docs").glob("*/*.md")
                         if p.parent.name in ("tutorials", "howto"))]
NEEDS = {"docs/tutorials/own-network.md": "snntorch"}          # frameworks that neither use nor development needs
NOTEBOOKS = sorted((ROOT / "docs").rglob("*.ipynb"))


@pytest.mark.parametrize("page", PAGES)
def test_a_page_shows_what_its_commands_print(page, tmp_path):
    if page in NEEDS:
        pytest.importorskip(NEEDS[page])
    text = (ROOT / page).read_text(encoding="utf-8")
    prepare(tmp_path)
    assert steps(text), f"{page} shows no command"
    for step in steps(text):
        printed, code = run(step, tmp_path)
        where = f"{page}:{step.line}: {step.arguments[-1].strip()}"
        assert code == 0, f"{where}\nexit code {code}\n{printed}"
        if step.has_output_block:
            assert agrees(step.shown, printed), (
                f"{where}\n--- shown\n{step.shown}--- printed\n{printed}"
                f"--- refresh with: python tools/tutorials.py --write {page}")


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda p: p.name)
def test_a_notebook_runs_from_top_to_bottom_and_shows_something(notebook, tmp_path):
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    assert not any(cell.get("outputs") for cell in cells)  # made by the reader
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    script = tmp_path / "cells.py"
    script.write_text(NOTEBOOK.format(cells=sources), encoding="utf-8")
    prepare(tmp_path)
    env = environment(tmp_path) | {"MPLBACKEND": "agg"}
    done = subprocess.run([sys.executable, script.name], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["ok"] * len(sources)


# Runs cells as a notebook does: the last line's value is what it shows.
NOTEBOOK = """\
import ast
space = {{}}
for cell in {cells!r}:
    tree = ast.parse(cell)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), space)
    shown = last and eval(compile(ast.Expression(last.value), "cell", "eval"), space)
    assert shown is None or hasattr(shown, "_repr_html_") or repr(shown)
    print("ok")
"""

SESSION = """\
Text.

```console
$ cat > a.txt <<END
> one
> two
> END
$ wc -l < a.txt
2
$ python -c "import time; print('took', time.time(), 's')"
took ... s
```

```python
print("three")
```

```text
three
```
"""


def test_a_session_is_taken_apart_into_commands_and_output(tmp_path):
    prepare(tmp_path)
    found = steps(SESSION)
    assert [s.line for s in found] == [4, 8, 10, 14]
    assert [s.shown for s in found] == ["", "2\n", "took ... s\n", "three\n"]
    assert [SESSION[s.start:s.stop] for s in found] == [s.shown for s in found]
    for step in found:
        printed, code = run(step, tmp_path)
        assert code == 0 and agrees(step.shown, printed), printed


def test_wrong_output_is_noticed_and_refreshed_but_for_what_is_left_open():
    shown, printed = "accuracy 96 %\ntook ... s\n", "accuracy 97 %\ntook 2 s\n"
    assert not agrees(shown, printed)
    assert refreshed(shown, printed) == "accuracy 97 %\ntook ... s\n"


@pytest.mark.parametrize(("shown", "printed", "agree"), [
    ("a ...\n", "a b\n", True),
    ("a ...\n", "a b\nc\n", False),
    ("a\n...\nd\n", "a\nb\nc\nd\n", True),
    ("a\n...\nd\n", "a\nd\n", True),
    ("a\n...\nd\n", "a\nb\n", False),
    ("", "a\n", False),
])
def test_three_dots_stand_for_a_piece_of_a_line_or_for_lines(shown, printed, agree):
    assert agrees(shown, printed) is agree
