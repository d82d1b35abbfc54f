"""Write the training images of the digits as spikes, for networks that learn on the chip.

    python tools/encode_digits.py --out examples/digits_train.h5

Same split and encoding as tools/train_digits.py: the images that are not in digits_test.h5, a pixel is an input line
that spikes with probability 0.8 x/16 in each of 20 ticks. Needs scikit-learn (extra `train`).
"""
from __future__ import annotations

import argparse
from pathlib import Path

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from chipsim.network.encoders import bernoulli

TICKS, MAX_RATE = 20, 0.8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("examples/digits_train.h5"))
    parser.add_argument("--seed", type=int, default=1, help="of the split and the encoding (default: 1)")
    args = parser.parse_args()
    digits = load_digits()
    images, _, labels, _ = train_test_split(
        digits.data, digits.target, test_size=360, stratify=digits.target, random_state=args.seed)
    stimulus = bernoulli(MAX_RATE * images / 16, TICKS, seed=args.seed, labels=labels)
    stimulus.save(args.out)
    print(f"{args.out}: {stimulus}")


if __name__ == "__main__":
    main()
