"""A pytest fixture that makes a gradient's test one line, and its failure the diagnosis instead of two matrices."""

from collections.abc import Callable

import pytest


@pytest.fixture
def check_gradients() -> Callable:
    """Call `check_gradients(forward, backward, *args)`; also a file, or an `autograd.Function` and its arguments.

    The test fails with the report where a line is at fault.

    Example:
        def test_rmsnorm(check_gradients):
            check_gradients(rmsnorm_forward, rmsnorm_backward, torch.randn(5, 7), torch.rand(7))
    """
    from handgrad.checker import WrongGradientError, check

    def checked(*subject, hint: int = 3, **options):
        __tracebackhide__ = True
        report = check(*subject, **options)
        report.hint = hint
        try:
            report.raise_if_wrong()
        except WrongGradientError as error:
            pytest.fail(str(error), pytrace=False)
        return report

    return checked
