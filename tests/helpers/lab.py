"""How does a notebook behave in a real JupyterLab, in a real browser?

    with lab(folder) as server, chromium() as page:
        notebook = open_notebook(page, server, "notebooks/01_optimizer_overview.ipynb")
        run_all(notebook)
        assert troubles(notebook) == []

The server listens on loopback only, keeps every file of its own in a temporary folder and asks nobody for news.
"""

import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, Request, sync_playwright

__all__ = [
    "CHROMIUM",
    "Notebook",
    "Server",
    "chromium",
    "lab",
    "open_notebook",
    "outputs",
    "outputs_by_cell",
    "run_all",
    "run_code",
    "student_lab",
    "troubles",
]

_ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_OWN_SCHEMES = ("data:", "blob:", "chrome", "about:")


@dataclass(frozen=True)
class Server:
    """A running JupyterLab."""

    port: int
    token: str
    root: Path  #: the folder whose notebooks it serves
    log: Path  #: what it says, to read when something went wrong

    @property
    def url(self) -> str:
        """The address of its first page, without the token."""
        return f"http://127.0.0.1:{self.port}"


@dataclass
class Notebook:
    """An open notebook, and all that went wrong since it was opened."""

    page: Page
    failed_requests: list[str] = field(default_factory=list)
    outside_requests: list[str] = field(default_factory=list)
    console_errors: list[str] = field(default_factory=list)


@contextlib.contextmanager
def lab(root: Path, *, dark: bool = False, timeout_s: float = 60, **environment: str) -> Iterator[Server]:
    """JupyterLab on the notebooks in ``root``, stopped and forgotten afterwards; ``environment`` is for its kernels.

    Raises:
        TimeoutError: it does not answer in ``timeout_s``.
    """
    with tempfile.TemporaryDirectory(prefix="jupyterlab-", ignore_cleanup_errors=True) as folder:
        base = Path(folder)
        _write_settings(base / "settings", dark)
        server = Server(port=_free_port(), token=secrets.token_hex(16), root=root, log=base / "log.txt")
        with server.log.open("w") as log:
            process = subprocess.Popen(
                _command(server), env=_environment(base) | environment, stdout=log, stderr=subprocess.STDOUT
            )
        try:
            _wait_until_it_answers(server, process, timeout_s)
            yield server
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextlib.contextmanager
def chromium(*, width: int = 1300, height: int = 1000, scale: float = 1) -> Iterator[Page]:
    """A page of a headless browser that has never been used; ``scale`` is the pixels of its screenshots per pixel.

    Raises:
        FileNotFoundError: there is no Chromium or Chrome; ``CHROMIUM`` in the environment may name one.
    """
    if CHROMIUM is None:
        raise FileNotFoundError("no chromium on the PATH; install it, or set CHROMIUM to the path of one")
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile, sync_playwright() as p:
        context = p.chromium.launch_persistent_context(
            profile,
            executable_path=CHROMIUM,
            viewport={"width": width, "height": height},
            device_scale_factor=scale,
            args=_FLAGS,
        )
        try:
            yield context.new_page()
        finally:
            context.close()


@contextlib.contextmanager
def student_lab(home: Path) -> Iterator[str]:
    """The address that the command of `make lab` prints, for a user whose home is the empty folder ``home``."""
    code = (
        "import start, pathlib, sys; start.python_of = lambda _: pathlib.Path(sys.executable); start.lab(['--port=0'])"
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "DISPLAY", "WAYLAND"))}
    log = home / "log.txt"
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-c", code], cwd=_ROOT, env={**kept, "HOME": str(home)}, stdout=file, stderr=file,
            start_new_session=True,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + 90
        while not (found := re.search(r"http://127\.0\.0\.1:\d+/lab\S*token=\w+", log.read_text(encoding="utf-8"))):
            assert process.poll() is None, log.read_text(encoding="utf-8")
            assert time.monotonic() < deadline, log.read_text(encoding="utf-8")
            time.sleep(0.2)
        yield found.group()
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def open_notebook(page: Page, server: Server, path: str, *, timeout_s: float = 90) -> Notebook:
    """Open ``path`` (relative to the server's root) and wait until its kernel is ready to run cells."""
    notebook = Notebook(page)
    _watch(notebook, server)
    # A workspace of its own: the usual one would open the notebooks of earlier pages as well.
    page.goto(f"{server.url}/lab/workspaces/{secrets.token_hex(4)}/tree/{path}?token={server.token}")
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=1000 * timeout_s)
    page.evaluate(
        """async () => {
            const {context, sessionContext} = window.jupyterapp.shell.currentWidget;
            await context.ready;
            await sessionContext.ready;
            await sessionContext.session.kernel.info;
            if (!window.jupyterapp.shell.leftCollapsed) window.jupyterapp.shell.collapseLeft();
        }"""
    )
    return notebook


def run_all(notebook: Notebook, *, timeout_s: float = 300) -> None:
    """Run every cell, and wait until the last one is done.

    Raises:
        TimeoutError: they take longer than ``timeout_s``.
    """
    notebook.page.evaluate("() => { window.ran = window.jupyterapp.commands.execute('runmenu:run-all') }")
    deadline = time.monotonic() + timeout_s
    while not notebook.page.evaluate(_ALL_DONE):
        if time.monotonic() > deadline:
            raise TimeoutError(f"the cells did not finish in {timeout_s:g} s")
        notebook.page.wait_for_timeout(100)


def outputs(notebook: Notebook) -> list[dict[str, Any]]:
    """All outputs of all code cells, in order, as they would be saved."""
    return [output for cell in outputs_by_cell(notebook) for output in cell]


def outputs_by_cell(notebook: Notebook) -> list[list[dict[str, Any]]]:
    """The outputs of each code cell, in order, as they would be saved."""
    found: list[list[dict[str, Any]]] = notebook.page.evaluate(
        """() => window.jupyterapp.shell.currentWidget.content.widgets
            .filter(cell => cell.model.type === 'code')
            .map(cell => cell.model.outputs.toJSON())"""
    )
    return found


def run_code(notebook: Notebook, code: str) -> str:
    """What ``code`` prints when the notebook's kernel runs it, beside the cells; an error is raised here.

    Raises:
        RuntimeError: the code raised an exception.
    """
    answer = notebook.page.evaluate(
        """async (code) => {
            const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
            const future = kernel.requestExecute({code, store_history: false});
            const said = {text: '', error: null};
            future.onIOPub = ({header, content}) => {
                if (header.msg_type === 'stream') said.text += content.text;
                if (header.msg_type === 'error') said.error = `${content.ename}: ${content.evalue}`;
            };
            await future.done;
            return said;
        }""",
        code,
    )
    if answer["error"]:
        raise RuntimeError(answer["error"])
    return str(answer["text"])


def troubles(notebook: Notebook) -> list[str]:
    """All that went wrong, in words: cells with an error or on stderr, requests that failed or left the machine."""
    cells = [
        f"a cell: {output.get('ename') or output.get('text')}"
        for output in outputs(notebook)
        if output["output_type"] == "error" or output.get("name") == "stderr"
    ]
    return [
        *cells,
        *(f"failed request: {url}" for url in notebook.failed_requests),
        *(f"request to the outside: {url}" for url in notebook.outside_requests),
        *(f"console: {text}" for text in notebook.console_errors),
    ]


# A cell that was never run has no count; one that still waits in the queue has a prompt [*], not a running state.
_ALL_DONE = """() => {
    const {content, sessionContext} = window.jupyterapp.shell.currentWidget;
    const cells = content.widgets.filter(c => c.model.type === 'code' && c.model.sharedModel.source.trim());
    const error = cells.some(c => c.model.outputs.toJSON().some(o => o.output_type === 'error'));
    const done = cells.every(c => c.model.executionCount && c.model.executionState === 'idle');
    const none = cells.every(c => c.model.executionState === 'idle');
    return sessionContext.session.kernel.status === 'idle' && (done || (error && none));
}"""


def _watch(notebook: Notebook, server: Server) -> None:
    """Write down every request and message of the page that should not be."""
    own = (server.url, server.url.replace("http", "ws"), *_OWN_SCHEMES)

    def on_request(request: Request) -> None:
        if not request.url.startswith(own):
            notebook.outside_requests.append(request.url)

    def on_failure(request: Request) -> None:
        notebook.failed_requests.append(f"{request.url.partition('?')[0]} ({request.failure})")

    page = notebook.page
    page.on("request", on_request)
    page.on("websocket", lambda socket: socket.url.startswith(own) or notebook.outside_requests.append(socket.url))
    page.on("requestfailed", on_failure)
    page.on("console", lambda said: said.type == "error" and notebook.console_errors.append(said.text[:300]))
    page.on("pageerror", lambda error: notebook.console_errors.append(str(error)[:300]))


def _command(server: Server) -> list[str]:
    return [
        *(sys.executable, "-m", "jupyter", "lab", f"--config={_ROOT / 'jupyter_lab_config.py'}", "--no-browser"),
        f"--ServerApp.port={server.port}",
        "--ServerApp.port_retries=0",
        f"--IdentityProvider.token={server.token}",
        "--LabApp.expose_app_in_browser=True",
        f"--ServerApp.root_dir={server.root}",
    ]


def _environment(base: Path) -> dict[str, str]:
    """The environment of this process, with every folder that Jupyter writes to below ``base``."""
    folders = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "IPYTHONDIR": "ipython",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
    }
    return {**os.environ, **{name: str(base / folder) for name, folder in folders.items()}}


def _write_settings(folder: Path, dark: bool) -> None:
    """What a student chose, beside the settings of the course that every server here starts with."""
    file = folder / "@jupyterlab" / "apputils-extension" / "themes.jupyterlab-settings"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"theme": "JupyterLab Dark" if dark else "JupyterLab Light"}), encoding="utf-8")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_it_answers(server: Server, process: subprocess.Popen[bytes], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{server.url}/api?token={server.token}", timeout=2):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    last_words = server.log.read_text(encoding="utf-8")[-2000:]
    raise TimeoutError(f"JupyterLab did not answer in {timeout_s:g} s; its last words:\n{last_words}")
