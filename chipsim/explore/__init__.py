"""Many runs, and runs of parts: one network on several chips, what the fabric alone sustains."""
from __future__ import annotations
