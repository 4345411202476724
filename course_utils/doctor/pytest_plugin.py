"""How does a test say that a training loop is healthy? A fixture watches the test's loop and judges it at its end.

    pytest_plugins = ["course_utils.doctor.pytest_plugin"]      # in the topmost conftest.py

    def test_the_training(loop_doctor):
        train()                                  # fails with the report where a warning or an error is found

    @pytest.mark.loop_doctor(allow={"learning-rate-too-low"}, steps=50)
    def test_another_training(loop_doctor): ...  # lets that finding pass; the other words are those of watch()

After the test's own exception the report stands in a section of its own. ``loop_doctor`` is the ``Report``.
"""

# Not an entry point: pytest would import this module, and torch with it, for seconds, at every start in an environment
# that has the course.

from collections.abc import Generator, Iterable
from contextlib import ExitStack
from typing import Any

import pytest

from course_utils.doctor.report import Report
from course_utils.doctor.watching import watch

__all__ = ["loop_doctor", "pytest_configure", "pytest_pyfunc_call"]

_WATCHED = pytest.StashKey[tuple[ExitStack, Report, Iterable[str]]]()


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers", "loop_doctor(allow=(), **options): findings that pass; options of doctor.watch, such as steps=50"
    )


@pytest.fixture
def loop_doctor(request: pytest.FixtureRequest) -> Generator[Report, None, None]:
    """The report on the loop in this test, open until the test has ended; the test fails where something is wrong."""
    marker = request.node.get_closest_marker("loop_doctor")
    allow, options = _asked(*marker.args, **marker.kwargs) if marker else ((), {})
    with ExitStack() as stack:
        report = stack.enter_context(watch(**options))
        request.node.stash[_WATCHED] = stack, report, allow
        yield report


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, Any, Any]:
    """Judge right after the test function, so that the test itself fails and not its teardown."""
    try:
        result = yield
    except BaseException as error:
        if (watched := pyfuncitem.stash.get(_WATCHED, None)) is not None:
            watched[0].__exit__(type(error), error, error.__traceback__)
            pyfuncitem.add_report_section("call", "loop doctor", str(watched[1]))
        raise
    if (watched := pyfuncitem.stash.get(_WATCHED, None)) is not None:
        _judge(*watched)
    return result


def _judge(stack: ExitStack, report: Report, allow: Iterable[str]) -> None:
    stack.close()
    try:
        report.assert_healthy(allow=allow)
    except AssertionError:
        pytest.fail(str(report), pytrace=False)


def _asked(allow: Iterable[str] = (), **options: Any) -> tuple[Iterable[str], dict[str, Any]]:
    return allow, options
