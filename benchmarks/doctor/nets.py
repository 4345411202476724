"""Which networks do the programs train? Small ones, written out in layers or in functions."""

from collections.abc import Iterator

__all__ = ["Op", "cnn", "mlp", "write_net"]

Op = tuple[str, ...]  #: kind of layer and its arguments, such as ("Linear", "20, 32")

_ABBREVIATIONS = {"Linear": "fc", "Conv2d": "conv", "BatchNorm1d": "norm", "BatchNorm2d": "norm"}
_FUNCTIONS = {
    "ReLU": "F.relu({x})",
    "Sigmoid": "torch.sigmoid({x})",
    "Tanh": "torch.tanh({x})",
    "MaxPool2d": "F.max_pool2d({x}, {a})",
    "Flatten": "{x}.flatten(1)",
    "Dropout": "F.dropout({x}, {a}, training=self.training)",
    "Softmax": "F.softmax({x}, {a})",
    "LogSoftmax": "F.log_softmax({x}, {a})",
}


def mlp(inputs: int = 20, width: int = 32, classes: int = 4, *, inner: tuple[Op, ...] = (), tail: tuple[Op, ...] = ()
        ) -> tuple[Op, ...]:  # fmt: skip
    """Two linear layers; ``inner`` comes before the first activation's end, ``tail`` after the scores."""
    flat: tuple[Op, ...] = (("Flatten", ""),) if inputs > 1000 else ()
    first, last = ("Linear", f"{inputs}, {width}"), ("Linear", f"{width}, {classes}")
    return (*flat, first, ("ReLU", ""), *inner, last, *tail)


def cnn(channels: int = 1, width: int = 8, classes: int = 4, *, inner: tuple[Op, ...] = (), tail: tuple[Op, ...] = ()
        ) -> tuple[Op, ...]:  # fmt: skip
    """One convolution with pooling and one linear layer, for 8x8 images of one channel or 32x32 of three."""
    how = "3, padding=1" if channels == 1 else "5, stride=4, padding=2"
    first, last = ("Conv2d", f"{channels}, {width}, {how}"), ("Linear", f"{width * 16}, {classes}")
    return (first, ("ReLU", ""), ("MaxPool2d", "2"), *inner, ("Flatten", ""), last, *tail)


def write_net(ops: tuple[Op, ...], form: str, name: str, class_name: str) -> str:
    """Source text that binds ``name`` to a network of ``ops``, in layers or as a class with a forward function."""
    return _in_layers(ops, name) if form == "layer" else _in_functions(ops, name, class_name)


def _in_layers(ops: tuple[Op, ...], name: str) -> str:
    layers = [f"nn.{kind}({arguments})" for kind, arguments in ops]
    line = f"{name} = nn.Sequential({', '.join(layers)})"
    if len(line) < 96:
        return line
    return "\n".join([f"{name} = nn.Sequential(", *(f"    {layer}," for layer in layers), ")"])


def _in_functions(ops: tuple[Op, ...], name: str, class_name: str) -> str:
    named = list(_attributes(ops))
    made = [f"        self.{attribute} = nn.{kind}({a})" for attribute, kind, a in named if attribute]
    head = ["", f"class {class_name}(nn.Module):", "    def __init__(self):", "        super().__init__()", *made]
    return "\n".join([*head, "", "    def forward(self, x):", *_forward(named), "", f"{name} = {class_name}()"])


def _attributes(ops: tuple[Op, ...]) -> Iterator[tuple[str | None, str, str]]:
    """Each op with the attribute that holds its parameters, if it has any."""
    count: dict[str, int] = {}
    for kind, arguments in ops:
        short = _ABBREVIATIONS.get(kind)
        if short:
            count[short] = count.get(short, 0) + 1
        yield (f"{short}{count[short]}" if short else None), kind, arguments


def _forward(named: list[tuple[str | None, str, str]]) -> list[str]:
    """The lines of the forward function: one for each layer with parameters, with what follows it wrapped around."""
    lines, value = [], "x"
    for attribute, kind, arguments in named:
        if attribute and "self." in value:
            lines.append(f"        x = {value}")
            value = "x"
        call = f"self.{attribute}({{x}})" if attribute else _FUNCTIONS[kind]
        value = call.format(x=value, a=arguments)
    return [*lines, f"        return {value}"]
