"""Which notebooks do the tests make? Cells, what they show, and notebooks in normal form."""

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from course_utils import plots
from tests.tools.comparing import CHAOTIC_TAG
from tests.tools.store_outputs import normalise

__all__ = ["BALL", "GOOD", "IGNORED", "code", "figure", "made_of", "said", "shown", "text"]


def said(text: str, name: str = "stdout") -> NotebookNode:
    return new_output("stream", name=name, text=text)


def shown(text: str, **data: str) -> NotebookNode:
    return new_output("display_data", data={"text/plain": text, **{k.replace("_", "/"): v for k, v in data.items()}})


def code(source: str = "print(1)", *outputs: NotebookNode, count: int | None = 1, **metadata: object) -> NotebookNode:
    return new_code_cell(source, outputs=list(outputs), execution_count=count, metadata=metadata)


def text(source: str) -> NotebookNode:
    return new_markdown_cell(source)


def made_of(*cells: NotebookNode) -> NotebookNode:
    return normalise(new_notebook(cells=list(cells)))


def figure(**changed: str) -> NotebookNode:
    """The output of a figure as `course_utils.plots` leaves it, but for what is ``changed``."""
    data = dict(plots.line_plot({"SGD": [2, 1]}, title="It falls", xlabel="step", ylabel="loss").bundle()[0])
    alternative = {"image/png": {"alt": data["text/plain"]}}
    return new_output("execute_result", data={**data, **changed}, metadata=alternative)


IGNORED = "nbval-ignore-output"
BALL = "[ball]: data:image/png;base64,aGk="
GOOD = [
    text(f"# One `step` *down*\n\n![a ball rolls down][ball]\n\n{BALL}\n\n[to the top](#One-step-down), `[x](y)`"),
    text(
        '<img src="data:image/png;base64,aGk=" alt="a ball at rest" width="200"> [next](other.ipynb#The-end) [docs](https://pytorch.org)'
    ),
    code("print(1)", said("1\n")),
    code("\n" * 14 + "x", count=2, tags=[IGNORED], nbval_ignore_reason="time: the point of the cell is to measure it"),
    code("# NBVAL_IGNORE_OUTPUT\ny", count=3, nbval_ignore_reason="machine: the number of its cores"),
    code("z", count=4, tags=[CHAOTIC_TAG], nbval_ignore_reason="chaos: lr 0.1 over five epochs", nbval_spread=0.02),
    code("figure", figure(), count=5),
]
