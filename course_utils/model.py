"""Which network? ``Tudui``, a small convolutional network for 32x32 colour images in ten classes."""

from collections import OrderedDict

import torch
from torch import Tensor, nn

from course_utils.arguments import a_switch, an_instance, kind_of
from course_utils.devices import pick_device
from course_utils.seeding import stream_seed

__all__ = ["Tudui", "build_model", "count_parameters"]

a_network = an_instance(nn.Module, must="be an nn.Module", example="build_model()")


class Tudui(nn.Module):
    """Three convolutions, each followed by a pooling that halves the image, then two linear layers.

    Input float32 ``(batch, 3, 32, 32)`` in [0, 1]; output float32 ``(batch, 10)``: one score (logit) per
    class. With ``softmax=True`` a Softmax layer follows and the output is probabilities. That is the mistake
    which notebook 03 studies: ``CrossEntropyLoss`` applies a softmax of its own.

    Source: the network of the "Tudui" PyTorch course, after the CIFAR-10 model of cuda-convnet
    (Krizhevsky, 2012).

    Raises:
        TypeError: ``softmax`` is no bool.
    """

    def __init__(self, *, softmax: bool = False) -> None:
        super().__init__()
        a_switch()("softmax", softmax)
        layers: OrderedDict[str, nn.Module] = OrderedDict(
            conv1=nn.Conv2d(3, 32, kernel_size=5, padding=2),
            pool1=nn.MaxPool2d(2),
            conv2=nn.Conv2d(32, 32, kernel_size=5, padding=2),
            pool2=nn.MaxPool2d(2),
            conv3=nn.Conv2d(32, 64, kernel_size=5, padding=2),
            pool3=nn.MaxPool2d(2),
            flatten=nn.Flatten(),
            fc1=nn.Linear(1024, 64),
            fc2=nn.Linear(64, 10),
        )
        if softmax:
            layers["softmax"] = nn.Softmax(dim=1)
        self.model = nn.Sequential(layers)

    def forward(self, images: Tensor) -> Tensor:
        """Scores ``(batch, 10)`` of images ``(batch, 3, 32, 32)``.

        Raises:
            TypeError: ``images`` is not a floating-point tensor.
            ValueError: the shape is not ``(batch, 3, 32, 32)``.
        """
        if not isinstance(images, Tensor) or not images.is_floating_point():
            kind = images.dtype if isinstance(images, Tensor) else kind_of(images)
            raise TypeError(f"images must be a float tensor, got {kind}; try images.float() / 255")
        if images.shape[1:] != (3, 32, 32):
            raise ValueError(f"images must have shape (batch, 3, 32, 32), got {tuple(images.shape)}; try images[None]")
        scores: Tensor = self.model(images)
        return scores


def build_model(seed: int = 0, *, softmax: bool = False, device: str | torch.device = "cpu") -> Tudui:
    """A fresh ``Tudui`` whose weights depend on ``seed`` alone, in channels-last memory on ``device``.

    The same seed gives the same weights with and without ``softmax``, so that the two can be compared. The
    global random stream is left as it was.

    Raises:
        TypeError: ``seed`` is no whole number, ``softmax`` no bool, or ``device`` no name of a device.
        ValueError: this machine has no such device.
    """
    place = pick_device(device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(seed, "weights"))
        model = Tudui(softmax=softmax)
    # Convolutions on the CPU are about 1.3 times as fast on channels-last memory.
    return model.to(place).to(memory_format=torch.channels_last)


def count_parameters(model: nn.Module) -> int:
    """How many numbers the optimizer may change: the elements of all parameters that require a gradient.

    Raises:
        TypeError: ``model`` is no ``nn.Module``.
    """
    parameters = a_network("model", model).parameters()
    return sum(parameter.numel() for parameter in parameters if parameter.requires_grad)
