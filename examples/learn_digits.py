"""Digits without labels: learn on the chip, then see which cell answers to which digit.

    python examples/learn_digits.py                    # all 1437 training images, twice
    python examples/learn_digits.py --images 300 --rounds 1

Labels are used only afterwards, to name each cell after the digit it answers to most. Writes receptive_fields.png.
"""
import argparse
from pathlib import Path

import numpy as np

from chipsim.compiler import compile
from chipsim.engine import simulate
from chipsim.figures import si
from chipsim.network import Stimulus
from chipsim.report import report

HERE = Path(__file__).parent


def named(counts, labels):
    """int[cells]: the digit to which each cell gave most spikes; counts [samples, cells]."""
    return np.array([counts[labels == digit].mean(0) for digit in range(10)]).argmax(0)


def accuracy(counts, labels, names):
    """Share of samples whose digit has the cells with most spikes on average."""
    votes = np.array([counts[:, names == digit].sum(1) / max(1, (names == digit).sum()) for digit in range(10)])
    return (votes.argmax(0) == labels).mean()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=1437, help="training images")
    parser.add_argument("--rounds", type=int, default=2, help="times each is shown")
    parser.add_argument("--chip", default="loihi")
    args = parser.parse_args()
    layout = compile(str(HERE / "digits_learning.yaml"), args.chip)
    training = Stimulus.load(HERE / "digits_train.h5", samples=args.images)
    test = Stimulus.load(HERE / "digits_test.h5")

    def judged(weights):
        """Accuracy with these weights at rest, and the run on the test images."""
        known, unseen = (simulate(layout, s, weights=weights, learning=False) for s in (training, test))
        names = named(known.samples["output_counts"], training.labels)
        return accuracy(unseen.samples["output_counts"], test.labels, names), unseen

    before, _ = judged(None)
    weights, spent = None, []
    for _ in range(args.rounds):
        run = simulate(layout, training, weights=weights)
        weights = run.weights
        spent.append(report(run).energy)
    after, inference = judged(weights)

    shown = args.rounds * args.images
    learning, total = (sum(e) / shown for e in ([e.by_component["learning"].energy_J for e in spent],
                                                [e.total_J for e in spent]))
    print(f"accuracy    {before:.1%} before, {after:.1%} after {shown} images without labels")
    print(f"training    {si(total, 'J')} per image, {si(learning, 'J')} of it for learning")
    print(f"inference   {si(report(inference).energy.per_inference_J, 'J')} per image")
    picture(run.weight_matrix("features"), "receptive_fields.png")


def picture(weights, path):
    """The weights of every cell as an image of 8 by 8 pixels; weights [cells, 64]."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    side = int(np.ceil(np.sqrt(len(weights))))
    figure, axes = pyplot.subplots(side, side, figsize=(5, 5))
    for ax in axes.ravel():
        ax.axis("off")
    for ax, field in zip(axes.ravel(), weights, strict=False):
        ax.imshow(field.reshape(8, 8), cmap="RdBu_r", vmin=-255, vmax=255)
    figure.savefig(path, dpi=80)
    print(f"picture     {path}")


if __name__ == "__main__":
    main()
