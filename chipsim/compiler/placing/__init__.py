"""Which core of the chip each core of the draft becomes."""
