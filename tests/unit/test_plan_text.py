"""The terminal's floorplan: is every core in use where it stands, and as full as it is?"""
import numpy as np

from chipsim import load_chip
from chipsim.report.plan_text import SHADES, WIDTH, plan_text


def test_a_core_stands_at_its_router_and_place():
    chip = load_chip("loihi")
    lines = plan_text(chip, np.array([0, 4 * 8 + 2]), np.array([1.0, 0.5]), "neurons").split("\n")
    assert lines[3].split()[1] == SHADES[8] + SHADES[0] * 3           # row 0 is the last line of the plan
    assert lines[2].split()[1] == SHADES[0] * 2 + SHADES[4] + SHADES[0]
    assert sum(line.count(SHADES[0]) for line in lines[:4]) == 128 - 2


def test_a_wide_chip_shows_the_mean_of_several_routers():
    chip = load_chip("loihi", set=("fabric.width=200", "fabric.height=6"))
    lines = plan_text(chip, np.arange(3 * 4), np.ones(12), "neurons").split("\n")
    assert max(map(len, lines[:-1])) <= WIDTH
    assert lines[-2].split()[1][0] == SHADES[3]                         # 3 of 9 routers of the block
    assert "3x3 routers" in lines[-1]


def test_a_tree_is_a_list_of_its_cores():
    tree = ("latency=1 ns", "cycle=1 ns", "credit=1 ns", "slots=4", "energy=1 pJ")
    chip = load_chip("loihi", set=("fabric.topology=tree", "fabric.routing=shortest", "fabric.width=1",
                                   "fabric.height=1", "fabric.arity=2", "fabric.levels=5",
                                   *(f"fabric.channels.tree.{number}" for number in tree)))
    lines = plan_text(chip, np.array([65]), np.array([0.01]), "neurons").split("\n")
    assert lines[1].split() == ["64", SHADES[0] + SHADES[1] + SHADES[0] * 62]
