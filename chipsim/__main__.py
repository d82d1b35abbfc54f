"""`python -m chipsim` is the command line."""
import sys

from chipsim.cli import main

sys.exit(main())
