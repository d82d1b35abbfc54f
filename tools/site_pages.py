"""Build the documentation site: pages of docs/, and pages made from code and chip files.

    python tools/site_pages.py build/site          # -> build/site/html/index.html; exit code 1 on any warning

docs/ is copied first and never written to. Generated are: a page per chip, the public names of the package with their
docstrings, every error code, and a gallery of the plots. `docs/index.md` leads; its links to code stay as text.
"""
from __future__ import annotations

import inspect
import re
import shutil
import sys
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
SECTIONS = {"Tutorials": "tutorials", "How-to": "howto", "Reference": "reference", "Chips": "chips",
            "Explanation": "explanation"}
API = {
    "chipsim": None,                            # None: what __all__ says
    "chipsim.report.plots": ("raster", "energy", "latency", "links", "ticks", "floorplan", "weights",
                             "receptive_fields"),
    "chipsim.report.page": ("to_html",), "chipsim.report.trace": ("to_trace",),
    "chipsim.compiler": ("save_layout", "load_layout"), "chipsim.engine.run_file": ("save_run", "load_run"),
}
GALLERY = {
    "raster": "plots.raster(run)", "energy": "plots.energy(report)", "latency": "plots.latency(run)",
    "links": "plots.links(run)", "ticks": "plots.ticks(run)", "floorplan": 'plots.floorplan(run, "energy")',
    "weights": "plots.weights(second)", "receptive_fields": "plots.receptive_fields(first, (8, 8))",
}


def chip_page(name: str) -> str:
    """Every number of a chip with its unit, how it is known and who says so."""
    from chipsim.chip import load_chip
    from chipsim.report.sources import written

    chip = load_chip(name)
    known = ", ".join(f"{n} {kind}" for kind, n in chip.kinds().items())
    rows = [f"| `{path}` | {written(p)} | {p.kind} | {_cell(p.source)} | {_cell(p.note)} |"
            for path, p in chip.provenance.items()]
    cited = [f"- **{key}**: {s.cite}" + (f" <{s.url}>" if s.url else "") for key, s in chip.sources.items()]
    status = f"Status: {chip.status}; {chip.n_cores} cores; time base `{chip.time_base}`. Numbers: {known}."
    return "\n".join([f"# {name}", "", f"{chip.title}. {chip.description}", "", status, "",
                      "| number | value | known | source | note |", "|---|---|---|---|---|", *rows, "",
                      *(["## Sources", "", *cited, ""] if cited else [])])


def api_page() -> str:
    """Public names with signature and docstring."""
    out = ["# Python", "", "What `import chipsim` gives, and the functions beside it.", ""]
    for module_name, names in API.items():
        module = import_module(module_name)
        out += [f"## {module_name}", ""]
        for name in names or module.__all__:
            thing = getattr(module, name)
            thing = thing.report if inspect.ismodule(thing) else thing
            signature = f"{name}{inspect.signature(thing)}" if inspect.isfunction(thing) else f"class {name}"
            doc = inspect.getdoc(thing) or ""
            out += [f"### {name}", "", "```text", signature, "", doc, "```", ""]
    return "\n".join(out)


def codes_page() -> str:
    """What `chipsim explain` says, for every code."""
    from chipsim.cli.explain import all_codes

    out = ["# Error codes", "", "What `chipsim explain CODE` says.", ""]
    for code, text in sorted(all_codes().items()):
        out += [f"## {code}", "", "```text", text.strip(), "```", ""]
    return "\n".join(out)


def gallery_page(folder: Path) -> str:
    """Every plot, drawn from the shipped example, above the call that draws it."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    import chipsim
    from chipsim.report import plots

    network = chipsim.load_network(str(ROOT / "examples" / "digits.nir"), dialect="snntorch")
    layout = chipsim.compile(network, chipsim.load_chip("loihi"), neurons_per_core=4)
    stimulus = chipsim.Stimulus.load(ROOT / "examples" / "digits_test.h5", ticks_per_sample=20)
    run = chipsim.simulate(layout, stimulus, samples=slice(0, 10), record="all")
    first, second = (op.weight for p in network.projections for op in p.ops if hasattr(op, "weight"))
    space = dict(plots=plots, run=run, report=chipsim.report(run), first=first, second=second)
    out = ["# Gallery", "", "Each function of `chipsim.report.plots`, on the digits network spread over 27 cores.", ""]
    for name, call in GALLERY.items():
        ax = eval(call, space)
        ax.figure.savefig(folder / f"gallery-{name}.png", dpi=90)
        plt.close(ax.figure)
        summary = (inspect.getdoc(getattr(plots, name)) or "").partition("\n")[0]
        out += [f"## {name}", "", summary, "", "```py", call, "```", "", f"![{summary}](gallery-{name}.png)", ""]
    return "\n".join(out)


def assemble(source: Path) -> None:
    """Put all pages, written and generated, into one folder for Sphinx."""
    from chipsim.chip import catalogue

    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(ROOT / "docs", source)
    chips = source / "chips"
    chips.mkdir()
    for entry in catalogue():
        (chips / f"{entry.name}.md").write_text(chip_page(entry.name), encoding="utf-8")
    reference = source / "reference"
    (reference / "api.md").write_text(api_page(), encoding="utf-8")
    (reference / "codes.md").write_text(codes_page(), encoding="utf-8")
    (reference / "gallery.md").write_text(gallery_page(reference), encoding="utf-8")
    trees = "".join(f"\n```{{toctree}}\n:hidden:\n:glob:\n:caption: {title}\n\n{folder}/*\n```\n"
                    for title, folder in SECTIONS.items())
    index = source / "index.md"
    index.write_text(index.read_text(encoding="utf-8") + trees, encoding="utf-8")
    for page in source.rglob("*.md"):                              # links out of docs/ lead to files, not to pages
        text = page.read_text(encoding="utf-8")
        depth = len(page.relative_to(source).parts)
        page.write_text(re.sub(rf"\[([^\]]+)\]\((?:\.\./){{{depth}}}[^)]*\)", r"\1", text), encoding="utf-8")


def main() -> int:
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "build/site")
    assemble(target / "source")
    from sphinx.cmd.build import main as sphinx

    return sphinx(["-q", "-W", "--keep-going", "-b", "html", str(target / "source"), str(target / "html")])


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
