"""How curved is the loss here? Its Hessian times a vector, its largest eigenvalues, and what they say of a step.

The Hessian of a network with n weights has n x n entries and is never built. What is built is its product with a
vector, by two passes of autograd (Pearlmutter, 1994), and from some dozens of products its largest eigenvalues.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from course_utils.arguments import a_check, a_number, a_switch, a_whole_number, an_instance, kind_of, shown
from course_utils.seeding import generator

__all__ = [
    "Curved",
    "NoiseScale",
    "Prediction",
    "adam_edge",
    "adam_preconditioner",
    "edge",
    "flat_gradient",
    "hessian_vector_product",
    "largest_eigenvalues",
    "noise_scale",
    "predicted_change",
    "sharpness",
]

ADAMS = (torch.optim.Adam, torch.optim.AdamW)
WARM_NOISE = 0.01  # of a random direction in a warm start: else a direction that has become the largest is never found

_a_loss = a_check(
    "be the loss itself, one finite number with its graph",
    kind=lambda value: isinstance(value, Tensor),
    fits=lambda value: value.numel() == 1 and value.requires_grad and bool(value.isfinite().all()),
    keep=lambda value: value,
    example="cross_entropy(model(images), labels)",
)
_a_rate = a_number(above=0, example=0.1)
_a_momentum = a_number(0, below=1, example=0.9)
_a_count = a_whole_number(1, example=1)
_a_tolerance = a_number(above=0, below=1, example=1e-3)
_an_optimizer = an_instance(*ADAMS, example="torch.optim.Adam(model.parameters())")


@dataclass(frozen=True, eq=False)
class Curved:
    """The largest eigenvalues of a Hessian, the largest first."""

    values: Tensor  #: ``(k,)``
    vectors: Tensor  #: ``(k, n)``, of length 1
    products: int  #: Hessian-vector products that it took

    def __repr__(self) -> str:
        return f"Curved({', '.join(f'{value:.4g}' for value in self.values.tolist())}; {self.products} products)"


@dataclass(frozen=True)
class Prediction:
    """By how much the loss should change in a step, from what is known where it begins."""

    first_order: float  #: g . d, by the slope alone
    second_order: float  #: g . d + d . H d / 2, by slope and curvature


@dataclass(frozen=True)
class NoiseScale:
    """How much of a batch's gradient is common to all batches, and how much is the luck of its images."""

    signal: float  #: estimate of |G|^2, the squared length of the mean gradient; noise can make it negative
    noise: float  #: estimate of tr(Sigma), the variance of one image's gradient, over all weights

    @property
    def batch_size(self) -> float:
        """B_simple = tr(Sigma) / |G|^2: the batch in whose gradient signal and noise are equally long."""
        return self.noise / self.signal if self.signal > 0 else math.inf


# ---- Products and eigenvalues ----------------------------------------------------------------------------------------


def flat_gradient(loss: Tensor, parameters: Iterable[Tensor]) -> Tensor:
    """The gradient of ``loss`` as one row ``(n,)``, all parameters one after the other; no ``.grad`` is touched.

    Raises:
        TypeError: ``loss`` is no tensor, or ``parameters`` are no tensors.
        ValueError: ``loss`` is not one finite number with a graph, or no parameter requires a gradient.
    """
    gradient, _ = _differentiated(loss, parameters, again=False)
    return gradient


def hessian_vector_product(loss: Tensor, parameters: Iterable[Tensor], vector: Tensor) -> Tensor:
    """The Hessian of ``loss`` times ``vector``, both ``(n,)``: the derivative of the gradient in that direction.

    Raises:
        TypeError: ``loss`` or ``vector`` is no tensor, or ``parameters`` are no tensors.
        ValueError: ``loss`` is not one finite number with a graph, or ``vector`` has another shape than ``(n,)``.

    Source: B. Pearlmutter, Fast exact multiplication by the Hessian, 1994, by differentiating g . v.
    """
    gradient, product = _differentiated(loss, parameters)
    return product(_checked_vector("vector", vector, gradient))


def largest_eigenvalues(
    loss: Tensor,
    parameters: Iterable[Tensor],
    count: int = 1,
    *,
    preconditioner: Tensor | None = None,
    start: Tensor | None = None,
    tolerance: float = 1e-3,
    most: int = 200,
) -> Curved:
    """The ``count`` largest eigenvalues of the Hessian of ``loss``, by Lanczos with full reorthogonalisation.

    Lanczos, because it needs fewer products than power iteration, knows its own error, and never mistakes the most
    negative for the largest. While a network trains, hand the last vector over as ``start``.

    Args:
        loss: with its graph; the same batch or the whole set decides whose curvature it is.
        parameters: those that the optimizer changes.
        count: how many.
        preconditioner: positive ``(n,)``; the eigenvalues are then those of P^-1 H, those that decide about Adam.
        start: a first guess ``(n,)``, or None for a random one, the same at every call.
        tolerance: relative error of each value at most, as far as its residual tells.
        most: products at most.

    Raises:
        TypeError, ValueError: as ``hessian_vector_product``; ``count`` is no whole number from 1 to n; or the values
            have not settled after ``most`` products.

    Source: C. Lanczos, 1950; the residual as in B. Parlett, The symmetric eigenvalue problem, 1998, section 13.2.
    """
    gradient, product = _differentiated(loss, parameters)
    size = len(gradient)
    count = a_whole_number(1, size, example=1)("count", count)
    tolerance, most = _a_tolerance("tolerance", tolerance), _a_count("most", most)
    root = torch.ones_like(gradient)
    if preconditioner is not None:
        root = _checked_vector("preconditioner", preconditioner, gradient, positive=True).sqrt()
    first = None if start is None else _checked_vector("start", start, gradient) * root
    krylov = _Krylov(lambda v: product(v / root) / root, _begin(first, gradient), count)
    while not krylov.settled(tolerance):
        if len(krylov.basis) >= most:
            raise ValueError(f"most must suffice for a tolerance of {tolerance:g}, got {most}; try most={2 * most}")
        krylov.grow()
    vectors = krylov.vectors() / root
    return Curved(krylov.values(), vectors / vectors.norm(dim=1, keepdim=True), len(krylov.basis))


def sharpness(loss: Tensor, parameters: Iterable[Tensor], **options: Any) -> float:
    """The largest eigenvalue of the Hessian of ``loss``; ``options`` as in ``largest_eigenvalues``.

    Source: J. Cohen et al., Gradient descent on neural networks typically occurs at the edge of stability, 2021.
    """
    return largest_eigenvalues(loss, parameters, **options).values[0].item()


class _Krylov:
    """The space of v, Hv, H^2 v, ... as an orthonormal basis in which H has three diagonals."""

    def __init__(self, product: Callable[[Tensor], Tensor], first: Tensor, count: int) -> None:
        self.product, self.count = product, count
        self.basis: list[Tensor] = []
        self.diagonal: list[float] = []
        self.beside: list[float] = []
        self.breaks = 0  # how often the space was closed under H, and a random direction was added
        self._next = first
        self._values = self._rows = first.new_zeros(0)

    def grow(self) -> None:
        """One product more."""
        vector = self._next
        image = self.product(vector)
        self.basis.append(vector)
        self.diagonal.append(float(vector @ image))
        rest, length = self._orthogonal(image)
        scale = max(map(abs, [*self.diagonal, *self.beside]))
        if length <= 10 * torch.finfo(vector.dtype).eps * scale or len(self.basis) == len(vector):
            self.breaks += 1
            rest, length = self._orthogonal(_random_like(vector, len(self.basis)))[0], 0.0
        self.beside.append(length)
        self._next = rest / rest.norm()
        self._decompose()

    def _orthogonal(self, vector: Tensor) -> tuple[Tensor, float]:
        """What of ``vector`` lies outside the space, twice projected because once leaves rounding errors behind."""
        space = torch.stack(self.basis)
        for _ in range(2):
            vector = vector - space.T @ (space @ vector)
        return vector, float(vector.norm())

    def _decompose(self) -> None:
        inner = self.beside[:-1]
        small = torch.diag(torch.tensor(self.diagonal, dtype=torch.float64))
        for i, value in enumerate(inner):
            small[i, i + 1] = small[i + 1, i] = value
        values, rows = torch.linalg.eigh(small)
        self._values, self._rows = values.flip(0), rows.flip(1)

    def settled(self, tolerance: float) -> bool:
        size = len(self.basis)
        if size < self.count:
            return False
        if size == len(self.basis[0]):
            return True
        residuals = self.beside[-1] * self._rows[-1, : self.count].abs()
        close = bool((residuals <= tolerance * self._values[: self.count].abs()).all())
        return close and (self.beside[-1] > 0 or self.breaks >= self.count)

    def values(self) -> Tensor:
        values: Tensor = self._values[: self.count].to(self.basis[0])
        return values

    def vectors(self) -> Tensor:
        vectors: Tensor = self._rows[:, : self.count].T.to(self.basis[0]) @ torch.stack(self.basis)
        return vectors


def _begin(start: Tensor | None, like: Tensor) -> Tensor:
    noise = _random_like(like, 0)
    if start is None or not start.any():
        return noise
    return _of_length_1(_of_length_1(start) + WARM_NOISE * noise)


def _random_like(like: Tensor, number: int) -> Tensor:
    stream = generator(0, "curvature", number)
    return _of_length_1(torch.randn(len(like), generator=stream, dtype=torch.float64).to(like))


def _of_length_1(vector: Tensor) -> Tensor:
    return torch.nn.functional.normalize(vector, dim=0)


# ---- What follows from them ------------------------------------------------------------------------------------------


def edge(lr: float, *, momentum: float = 0.0, nesterov: bool = False) -> float:
    """The largest curvature with which ``torch.optim.SGD`` is stable on a quadratic: 2 (1 + momentum) / lr.

    With Nesterov it is 2 (1 + momentum) / (lr (1 + 2 momentum)). Weight decay adds itself to the curvature.

    Raises:
        TypeError, ValueError: ``lr`` is not positive, or ``momentum`` not from 0 to below 1.

    Source: J. Cohen et al., 2021, appendix B; B. Polyak, 1964, for heavy ball.
    """
    rate, share = _a_rate("lr", lr), _a_momentum("momentum", momentum)
    ahead = 1 + 2 * share if a_switch()("nesterov", nesterov) else 1.0
    return 2 * (1 + share) / (rate * ahead)


def adam_edge(lr: float, *, beta1: float = 0.9) -> float:
    """The largest preconditioned curvature with which Adam is stable: (2 + 2 beta1) / ((1 - beta1) lr), or 38 / lr.

    Raises:
        TypeError, ValueError: ``lr`` is not positive, or ``beta1`` not from 0 to below 1.

    Source: J. Cohen et al., Adaptive gradient methods at the edge of stability, 2022, section 2.
    """
    rate, share = _a_rate("lr", lr), _a_momentum("beta1", beta1)
    return (2 + 2 * share) / ((1 - share) * rate)


def adam_preconditioner(optimizer: torch.optim.Optimizer) -> Tensor:
    """P of Adam after its last step, positive ``(n,)``: (1 - beta1^t) (sqrt(v / (1 - beta2^t)) + eps).

    Parameters come one after the other, as in ``optimizer.param_groups``.

    Raises:
        TypeError: ``optimizer`` is neither Adam nor AdamW.
        ValueError: it has made no step.

    Source: J. Cohen et al., Adaptive gradient methods at the edge of stability, 2022, section 2.
    """
    _an_optimizer("optimizer", optimizer)
    parts = []
    for group in optimizer.param_groups:
        beta1, beta2 = group["betas"]
        for parameter in group["params"]:
            state = optimizer.state.get(parameter)
            if not state:
                raise ValueError("optimizer must have made a step, got one without; try optimizer.step() first")
            t = float(state["step"])
            root = (state["exp_avg_sq"] / (1 - beta2**t)).sqrt() + group["eps"]
            parts.append(((1 - beta1**t) * root).flatten())
    return torch.cat(parts)


def predicted_change(loss: Tensor, parameters: Iterable[Tensor], step: Tensor) -> Prediction:
    """By how much ``loss`` should change when ``step`` ``(n,)`` is added to the parameters, to first and second order.

    Raises:
        TypeError, ValueError: as ``hessian_vector_product``.
    """
    gradient, product = _differentiated(loss, parameters)
    step = _checked_vector("step", step, gradient)
    slope = float(gradient @ step)
    return Prediction(slope, slope + float(step @ product(step)) / 2)


def noise_scale(gradients: Tensor, batch_size: int) -> NoiseScale:
    """The gradient noise scale from the gradients ``(k, n)`` of k batches of ``batch_size`` images at the same weights.

    The k batches together are the large batch of the source, so that both estimates are unbiased.

    Raises:
        TypeError: ``gradients`` is no tensor, ``batch_size`` no whole number.
        ValueError: there are fewer than two gradients.

    Source: S. McCandlish et al., An empirical model of large-batch training, 2018, appendix A.1.
    """
    rows = an_instance(Tensor, example="torch.stack(gradients)")("gradients", gradients)
    small = _a_count("batch_size", batch_size)
    if rows.ndim != 2 or len(rows) < 2 or not rows.isfinite().all():
        came = tuple(rows.shape)
        raise ValueError(f"gradients must be finite, (k, n) with k of 2 or more, got {came}; try two batches")
    large = len(rows) * small
    of_small = float(rows.double().square().sum(dim=1).mean())
    of_large = float(rows.double().mean(dim=0).square().sum())
    signal = (large * of_large - small * of_small) / (large - small)
    return NoiseScale(signal, (of_small - of_large) / (1 / small - 1 / large))


# ---- Behind the door -------------------------------------------------------------------------------------------------


def _differentiated(
    loss: Tensor, parameters: Iterable[Tensor], *, again: bool = True
) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """The gradient as one row, and the function that multiplies the Hessian with a row."""
    _a_loss("loss", loss)
    among = _checked_parameters(parameters)
    parts = torch.autograd.grad(loss, among, create_graph=again, retain_graph=True, materialize_grads=True)
    gradient = torch.cat([part.flatten() for part in parts])

    def product(vector: Tensor) -> Tensor:
        if not gradient.requires_grad:  # a loss that is linear in all parameters
            return torch.zeros_like(vector)
        rows = torch.autograd.grad(gradient, among, vector, retain_graph=True, materialize_grads=True)
        return torch.cat([row.flatten() for row in rows])

    return gradient.detach(), product


def _checked_parameters(parameters: Iterable[Tensor]) -> list[Tensor]:
    try:
        among = list(parameters)
    except TypeError as error:
        came = kind_of(parameters)
        raise TypeError(f"parameters must be some tensors, got {came}; try model.parameters()") from error
    if wrong := [part for part in among if not isinstance(part, Tensor)]:
        raise TypeError(f"parameters must be tensors, got {shown(wrong[0])}; try model.parameters()")
    among = [part for part in among if part.requires_grad]
    if not among:
        raise ValueError("parameters must require gradients, got none that does; try model.parameters()")
    return among


def _checked_vector(name: str, vector: Tensor, like: Tensor, *, positive: bool = False) -> Tensor:
    if not isinstance(vector, Tensor):
        raise TypeError(f"{name} must be a tensor, got {kind_of(vector)}; try torch.ones({len(like)})")
    real = vector.layout is torch.strided and not vector.is_complex() and vector.device.type != "meta"
    fits = real and vector.shape == like.shape and bool(vector.isfinite().all())
    if not fits or (positive and not (vector > 0).all()):
        must = f"{len(like):,} {'positive' if positive else 'finite'} numbers in a row"
        raise ValueError(f"{name} must be {must}, got shape {tuple(vector.shape)}; try torch.ones({len(like)})")
    return vector.detach().to(like)
