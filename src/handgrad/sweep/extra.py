"""What a sweep needs beside handgrad."""

import importlib.util

from handgrad.errors import ConfigError

PACKAGES = ("ray", "optuna")


def require_extra() -> None:
    """Make sure that it is installed.

    Raises:
        ConfigError: it is not.
    """
    lacking = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if lacking:
        raise ConfigError(
            f"this needs {' and '.join(lacking)}", next_step="Install what is lacking: pip install 'handgrad[cluster]'."
        )
