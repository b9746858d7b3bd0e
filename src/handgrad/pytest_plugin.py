"""A pytest fixture that makes a gradient's test one line, and its failure the diagnosis instead of two matrices."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from handgrad.checker import Report


@pytest.fixture
def check_gradients() -> Callable[..., "Report"]:
    """Fail the test where a gradient written by hand is wrong: `handgrad.check`, as an assertion.

    The message begins with the lines at fault, `file:line: dx is wrong: why`; `hint=1` or `hint=2` gives less away.

    Example:
        def test_rmsnorm(check_gradients):
            check_gradients(rmsnorm_forward, rmsnorm_backward, torch.randn(5, 7), torch.rand(7))
    """

    def checked(*subject: Any, hint: int = 3, **options: Any) -> "Report":
        from handgrad.checker import check
        from handgrad.checker.render import failure

        report = check(*subject, **options)
        report.hint = hint
        if not report.right:
            pytest.fail(failure(report), pytrace=False)
        return report

    return checked
