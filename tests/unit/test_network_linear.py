"""Linear operators equal loops written straight from their definitions; folding equals applying one after the other."""
from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from chipsim.errors import NetworkError
from chipsim.network import linear as L
from chipsim.network import spatial as S


def slow_conv(x, weight, stride, before, after, dilation, groups):
    """Cross-correlation of x[C, H, W] by its definition; padding before and after per axis."""
    x = np.pad(x, ((0, 0), (before[0], after[0]), (before[1], after[1])))
    out_channels, per_group, kh, kw = weight.shape
    size = [(x.shape[1 + a] - dilation[a] * (k - 1) - 1) // stride[a] + 1 for a, k in enumerate((kh, kw))]
    y = np.zeros((out_channels, *size))
    for o, r, c in product(range(out_channels), *map(range, size)):
        first = o // (out_channels // groups) * per_group
        for i, u, v in product(range(per_group), range(kh), range(kw)):
            row, column = r * stride[0] + u * dilation[0], c * stride[1] + v * dilation[1]
            y[o, r, c] += weight[o, i, u, v] * x[first + i, row, column]
    return y


def apply(op, x):
    y = op.matrix() @ x.ravel()
    b = op.bias_vector()
    return (y if b is None else y + b).reshape(op.out_shape)


pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))


@settings(max_examples=60, deadline=None)
@given(kernel=pairs, stride=pairs, padding=st.tuples(st.integers(0, 2), st.integers(0, 2)), dilation=pairs,
       groups=st.integers(1, 2), per_group=st.integers(1, 2), seed=st.integers(0, 999))
def test_conv2d_equals_its_definition(kernel, stride, padding, dilation, groups, per_group, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(groups * per_group, 7, 8))
    weight = rng.normal(size=(2 * groups, per_group, *kernel))
    op = S.Conv2d(weight, x.shape, stride, padding, dilation, groups, bias=rng.normal(size=2 * groups))
    expected = slow_conv(x, weight, stride, padding, padding, dilation, groups) + op.bias[:, None, None]
    assert op.out_shape == expected.shape
    np.testing.assert_allclose(apply(op, x), expected, atol=1e-12)


@pytest.mark.parametrize("kernel", [(3, 3), (2, 4), (1, 5)])
@pytest.mark.parametrize("dilation", [1, 2])
def test_padding_same_keeps_the_shape_and_puts_the_odd_element_behind(kernel, dilation):
    rng = np.random.default_rng(0)
    x, weight = rng.normal(size=(2, 9, 9)), rng.normal(size=(3, 2, *kernel))
    total = [dilation * (k - 1) for k in kernel]
    expected = slow_conv(x, weight, (1, 1), [t // 2 for t in total], [t - t // 2 for t in total], (dilation,) * 2, 1)
    op = S.Conv2d(weight, x.shape, padding="same", dilation=dilation)
    assert op.out_shape == (3, 9, 9)
    np.testing.assert_allclose(apply(op, x), expected, atol=1e-12)


def test_padding_same_with_stride_is_refused_as_in_pytorch():
    with pytest.raises(NetworkError, match="stride 1"):
        S.Conv2d(np.ones((1, 1, 3, 3)), (1, 8, 8), stride=2, padding="same")


def test_conv1d_is_a_conv2d_of_height_one():
    rng = np.random.default_rng(1)
    x, weight = rng.normal(size=(4, 11)), rng.normal(size=(6, 2, 3))
    ops = S.Conv1d(weight, x.shape, stride=2, padding=1, dilation=2, groups=2, bias=np.arange(6.0))
    expected = slow_conv(x[:, None], weight[:, :, None], (1, 2), (0, 1), (0, 1), (1, 2), 2)[:, 0]
    expected += np.arange(6.0)[:, None]
    assert ops[-1].out_shape == expected.shape
    folded = L.fold(ops, x.shape)
    np.testing.assert_allclose(folded.maps[0] @ x.ravel() + folded.bias, expected.ravel(), atol=1e-12)


@pytest.mark.parametrize("pool, scale", [(S.SumPool2d, 1), (S.AvgPool2d, 1 / 6)])
@pytest.mark.parametrize("stride, padding", [((2, 3), (0, 0)), ((1, 2), (1, 1)), (None, 0)])
def test_pooling_equals_a_convolution_with_ones(pool, scale, stride, padding):
    x = np.random.default_rng(2).normal(size=(3, 6, 9))
    op = pool(x.shape, (2, 3), stride, padding)
    pad = np.broadcast_to(padding, 2)
    expected = slow_conv(x, np.full((3, 1, 2, 3), scale), stride or (2, 3), pad, pad, (1, 1), 3)
    assert op.out_shape == expected.shape
    np.testing.assert_allclose(apply(op, x), expected, atol=1e-12)


def test_only_dense_keeps_zero_weights():
    weight = np.array([[0.0, 1.0], [0.0, 0.0]])
    assert L.Dense(weight).matrix().size == 4
    assert L.Sparse(csr_array((np.zeros(2), [0, 1], [0, 1, 2]), shape=(2, 2))).matrix().nnz == 0


def chain(choice, rng):
    ops, shape = [], (2, 4, 6)
    for kind in choice:
        if kind == "conv" and len(shape) == 3:
            ops.append(S.Conv2d(rng.normal(size=(3, shape[0], 3, 1)), shape, padding=(1, 0), bias=rng.normal(size=3)))
        elif kind == "pool" and len(shape) == 3 and min(shape[1:]) > 1:
            ops.append(S.SumPool2d(shape, 2))
        elif kind == "scale":
            ops.append(L.Scale(rng.normal(size=shape)))
        elif kind == "delay":
            ops.append(L.Delay(rng.integers(0, 3, size=shape)))
        elif kind == "dense":
            ops += [L.Reshape(shape, (int(np.prod(shape)),)),
                    L.Dense(rng.normal(size=(5, int(np.prod(shape)))), rng.normal(size=5))]
        shape = ops[-1].out_shape if ops else shape
    return tuple(ops)


@settings(max_examples=50, deadline=None)
@given(choice=st.lists(st.sampled_from(["conv", "pool", "scale", "delay", "dense"]), max_size=5),
       seed=st.integers(0, 999))
def test_fold_equals_applying_the_operators_in_turn(choice, seed):
    rng = np.random.default_rng(seed)
    ops = chain(choice, rng)
    x = rng.normal(size=(12, 48)) * (np.arange(12) < 5)[:, None]
    y = x
    for op in ops:
        if isinstance(op, L.Delay):
            late = np.zeros_like(y)
            for i, k in enumerate(np.ravel(op.ticks)):
                late[k:, i] = y[: len(y) - k, i]
            y = late
        else:
            y = np.array([apply(op, row).ravel() for row in y])
    folded = L.fold(ops, (2, 4, 6))
    z = np.zeros_like(y)
    for d, m in folded.maps.items():
        assert m.shape == (y.shape[1], 48)
        z[d:] += (m @ x[: len(x) - d].T).T
    z += folded.bias
    for d, late in folded.late_bias.items():
        z[:d] -= late
    np.testing.assert_allclose(z, y, atol=1e-9)


def test_the_kind_of_a_chain_is_that_of_its_synapses():
    dense, conv = L.Dense(np.ones((2, 48))), S.Conv2d(np.ones((1, 2, 1, 1)), (2, 4, 6))
    pool = S.SumPool2d((2, 4, 6), 2)
    assert L.fold((L.Reshape((2, 4, 6), (48,)), dense), (2, 4, 6)).kind == "dense"
    assert L.fold((conv,), (2, 4, 6)).kind == "conv"
    assert L.fold((pool,), (2, 4, 6)).kind == "sparse"
    assert L.fold((), (3,)).kind == "sparse"
    assert (L.fold((), (3,)).maps[0].toarray() == np.eye(3)).all()


@pytest.mark.parametrize("make, message", [
    (lambda: L.Dense(np.ones(3)), "need \\(out, in\\)"),
    (lambda: L.Dense(np.ones((3, 2)), np.ones(2)), "bias has shape \\(2\\), weights \\(3, 2\\)"),
    (lambda: S.Conv2d(np.ones((4, 3, 3, 3)), (2, 8, 8)), "cannot take 2 input channels; it needs 3"),
    (lambda: S.Conv2d(np.ones((1, 1, 9, 1)), (1, 8, 8)), "larger than its input"),
    (lambda: S.SumPool2d((8, 8), 2), "2-D pooling of an input of shape \\(8, 8\\)"),
    (lambda: L.Reshape((2, 3), (5,)), "6 elements\\) to \\(5\\)"),
    (lambda: L.Delay(np.array([-1])), "negative"),
    (lambda: L.fold((L.Dense(np.ones((2, 3))),), (4,)), "takes \\(3\\), but gets 4 values"),
])
def test_shapes_that_do_not_fit_are_named(make, message):
    with pytest.raises(NetworkError, match=message):
        make()
