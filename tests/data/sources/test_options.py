from dataclasses import dataclass

import pytest

from bandpass.data.series import DataError
from bandpass.data.sources import _options


@dataclass(frozen=True)
class Example:
    count: int = 3
    share: float = 0.5
    name: str = ""


def test_settings_from_the_text_of_a_command_line() -> None:
    made = _options.settings(Example, {"count": "7", "share": 0.25})
    assert made == Example(7, 0.25, "")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": "1.5"}, "option count='1.5': not int"),
        ({"share": "half"}, "option share='half': not float"),
        ({"total": 1}, "no option 'total'; it takes count, share, name"),
    ],
)
def test_settings_that_do_not_fit(options: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        _options.settings(Example, options)


def test_flags() -> None:
    assert _options.flag("augment", "true")
    assert not _options.flag("augment", False)
    with pytest.raises(DataError, match="augment='yes'"):
        _options.flag("augment", "yes")
