"""What happens: simulate(), Run, the reference engine and the compiled one."""
from __future__ import annotations

from chipsim.engine.codes import CODES
from chipsim.engine.run import Run
from chipsim.engine.run_file import load_run, save_run
from chipsim.engine.simulate import simulate

__all__ = ["CODES", "Run", "load_run", "save_run", "simulate"]
