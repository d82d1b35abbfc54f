"""`chipsim schema`: JSON Schema of chip files, for editors that check while one types."""
from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace

from chipsim.cli.output import show

USAGE = "> chip.schema.json"
EXAMPLES = """\
  chipsim schema > chip.schema.json
  chipsim schema | head -40
  chipsim schema | python -m json.tool --compact > chip.schema.json
"""


def add_options(parser: ArgumentParser) -> None:
    """It has none."""


def run(args: Namespace) -> int:
    from chipsim.chip import json_schema

    show(json.dumps(json_schema(), indent=2, ensure_ascii=False))
    return 0
