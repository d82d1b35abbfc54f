"""Many runs, and runs of parts: what the fabric alone sustains."""
from __future__ import annotations
