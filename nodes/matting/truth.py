"""How far an alpha is from the true one: the measures of the matting benchmarks, with the scales papers print.

a is the alpha, g the true one, both float32 [H, W] in 0..1. `where`, bool [H, W], restricts a measure to the unknown
band of a trimap, as image benchmarks do; None is the whole frame, as video benchmarks do. Tables of the two kinds must
not be mixed.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

# Rhemann et al.: scale of the Gaussian whose derivatives make the gradient, and where its kernel is cut.
GRAD_SIGMA, GRAD_CUT = 1.4, 1e-2
# Rhemann et al.: thresholds between which connection is looked for, and how far off a pixel may be and still count.
CONN_STEP, CONN_SLACK = 0.1, 0.15


def sad(a: np.ndarray, g: np.ndarray, where: np.ndarray | None = None) -> float:
    """Sum of absolute differences / 1000, the image benchmarks' SAD."""
    return float(_chosen(np.abs(a - g), where).sum(dtype=np.float64)) / 1000


def mad(a: np.ndarray, g: np.ndarray, where: np.ndarray | None = None) -> float:
    """Mean absolute difference x 1000, the video benchmarks' MAD; 0 where there is nothing to compare."""
    return 1000 * _mean(np.abs(a - g), where)


def mse(a: np.ndarray, g: np.ndarray, where: np.ndarray | None = None) -> float:
    """Mean squared difference x 1000, as both kinds of benchmark print it; 0 where there is nothing to compare."""
    return 1000 * _mean((a - g) ** 2, where)


def grad(a: np.ndarray, g: np.ndarray, where: np.ndarray | None = None) -> float:
    """Sum of squared differences of gradient magnitudes / 1000.

    Gradients are those of Gaussian derivatives (sigma 1.4, kernels of norm 1, edges repeated) on alpha as it is: the
    low-resolution evaluation of RVM stretches alpha to 0..1 first, this and RVM's high-resolution one don't.

    Rhemann et al., "A Perceptually Motivated Online Benchmark for Image Matting", CVPR 2009, as coded for DIM.
    """
    return float(_chosen((_magnitude(a) - _magnitude(g)) ** 2, where).sum(dtype=np.float64)) / 1000


def conn(a: np.ndarray, g: np.ndarray, where: np.ndarray | None = None) -> float:
    """Sum of differences of connectedness / 1000.

    Of each threshold t = .1 ... 1 the largest 4-connected part of (a >= t and g >= t) is taken; l is the last t at
    which a pixel was in it, from the first on. With d = a - l, a pixel is connected by 1 - d where d >= .15, else by 1.

    Rhemann et al., CVPR 2009, as coded for DIM.
    """
    level = np.full(a.shape, -1.0, np.float32)
    steps = np.round(np.arange(0, 1 + CONN_STEP / 2, CONN_STEP), 10)
    both = np.minimum(a, g)
    for before, step in zip(steps[:-1], steps[1:], strict=True):
        level[(level < 0) & ~_largest(both >= step - 1e-6)] = before
    level[level < 0] = 1
    connected = [1 - d * (d >= CONN_SLACK) for d in (a - level, g - level)]
    return float(_chosen(np.abs(connected[0] - connected[1]), where).sum(dtype=np.float64)) / 1000


def dtssd(a: np.ndarray, g: np.ndarray, a_before: np.ndarray, g_before: np.ndarray) -> float:
    """100 x root of the mean squared difference of the changes since the frame before, over the whole frame.

    The form of RVM and MatAnyone; videomatting.com sums over the unknown instead of averaging, which is another scale.

    Erofeev et al., "Perceptually Motivated Benchmark for Video Matting", BMVC 2015.
    """
    return 100 * math.sqrt(_mean(((a - a_before) - (g - g_before)) ** 2, None))


def _chosen(values: np.ndarray, where: np.ndarray | None) -> np.ndarray:
    return values if where is None else values[where]


def _mean(values: np.ndarray, where: np.ndarray | None) -> float:
    chosen = _chosen(values, where)
    return float(chosen.mean(dtype=np.float64)) if chosen.size else 0.0


def _magnitude(alpha: np.ndarray) -> np.ndarray:
    across = _derivative_kernel()
    x = cv2.filter2D(alpha, cv2.CV_64F, across, borderType=cv2.BORDER_REPLICATE)
    y = cv2.filter2D(alpha, cv2.CV_64F, across.T, borderType=cv2.BORDER_REPLICATE)
    return np.hypot(x, y)


def _derivative_kernel() -> np.ndarray:
    """float64 [n, n]: Gaussian down the rows, its derivative along them, of norm 1."""
    half = math.ceil(GRAD_SIGMA * math.sqrt(-2 * math.log(math.sqrt(2 * math.pi) * GRAD_SIGMA * GRAD_CUT)))
    x = np.arange(-half, half + 1)
    gauss = np.exp(-(x**2) / (2 * GRAD_SIGMA**2)) / (GRAD_SIGMA * math.sqrt(2 * math.pi))
    kernel = np.outer(gauss, -x * gauss / GRAD_SIGMA**2)
    return kernel / np.sqrt((kernel**2).sum())


def _largest(mask: np.ndarray) -> np.ndarray:
    """bool [H, W]: the largest 4-connected part of a mask."""
    count, parts, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=4)
    if count < 2:
        return np.zeros(mask.shape, bool)
    return parts == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
