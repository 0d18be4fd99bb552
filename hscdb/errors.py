"""The errors of hscdb.

Every message follows one grammar: *who: what is wrong (found vs needed). What to do.*
Each error carries a reason code, which `run/worker.py` stores in `task.reason`.
"""

from collections.abc import Callable
from typing import Any


class HscdbError(Exception):
    """Something a user can understand and mend; anything else is a bug.

    store : what is written with the reason of a failed task (connection -> anything), where all else is rolled back.
    """

    code = "error"
    store: Callable[[Any], object] | None = None
    exit_status = 1

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code


class InputError(HscdbError):
    """Data are missing or wrong: no such file, no master, a header without a keyword."""

    code = "bad_input"


class DataError(HscdbError):
    """The data are readable but cannot be measured: too few stars, no overlap."""

    code = "bad_data"


class ConfigError(HscdbError):
    """A setting, an option or a selection is not known or not allowed."""

    code = "bad_setting"
    exit_status = 2


class SchemaError(HscdbError):
    """The database's schema does not fit this program."""

    code = "bad_schema"
    exit_status = 3


class DiskError(HscdbError):
    """A place cannot be written to: its disk is full, it is not ours. No bug and no fault of the data."""

    code = "no_disk"
