"""From a network's terms to the chip's: chains folded, models discretised, parameters and weights quantised."""
