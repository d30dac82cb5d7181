"""Options of a source, which may come as the text of a command line."""

from collections.abc import Mapping
from dataclasses import Field, fields
from typing import Any, ClassVar, Protocol, TypeVar

from bandpass.data.series import DataError


class Dataclass(Protocol):
    """Any dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


Value = TypeVar("Value")
Settings = TypeVar("Settings", bound=Dataclass)


def choice(option: str, value: str, allowed: Mapping[str, Value]) -> Value:
    """What ``value`` stands for; DataError, with the allowed values, if it is not one of them."""
    if value in allowed:
        return allowed[value]
    raise DataError(f"option {option}={value!r}: must be one of {', '.join(allowed)}")


def flag(option: str, value: bool | str) -> bool:
    """``value``, a bool or its text from a command line, as a bool."""
    return choice(option, str(value).lower(), {"true": True, "1": True, "false": False, "0": False})


def settings(kind: type[Settings], options: Mapping[str, object]) -> Settings:
    """Fill a settings dataclass from options, which may be the text of a command line.

    Raises:
        DataError: If an option is unknown or is not of the type of its field's default.
    """
    defaults = {field.name: field.default for field in fields(kind)}
    values: dict[str, object] = {}
    for name, value in options.items():
        if name not in defaults:
            raise DataError(f"no option {name!r}; it takes {', '.join(defaults)}")
        convert = type(defaults[name])
        try:
            values[name] = convert(str(value))
        except ValueError as error:
            raise DataError(f"option {name}={value!r}: not {convert.__name__}") from error
    return kind(**values)
