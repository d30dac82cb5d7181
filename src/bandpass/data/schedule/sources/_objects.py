"""Reading JSON that others wrote: whole documents, and values that may be of any type."""

from pathlib import Path

from bandpass.data.schedule.record import when
from bandpass.data.schedule.sources._reading import Unusable, document, moment, needs
from bandpass.data.series import DataError


def parsed(path: Path) -> object:
    """The value that a JSON file holds, plain or gzip; the file is held in memory.

    Raises:
        DataError: If it cannot be read or is no JSON, such as a file that was cut short.
    """
    needs("orjson")
    import orjson

    try:
        return orjson.loads(document(path))
    except orjson.JSONDecodeError as error:
        raise DataError(f"{path}: not JSON ({error}); download the file again") from error


def answers(path: Path) -> list[object]:
    """What a JSON file holds, an array or a single object, as a list.

    Raises:
        DataError: As `parsed`; if it is neither of the two.
    """
    value = parsed(path)
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        return [value]
    raise DataError(f"{path}: holds no object or array of objects; download the file again")


def mapping(value: object) -> dict[str, object]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[object]:
    """The value if it is an array, else an empty one."""
    return value if isinstance(value, list) else []


def characters(*values: object) -> int:
    """Characters of those of the values that are text."""
    return sum(len(value) for value in values if isinstance(value, str))


def key(value: object) -> str:
    """A whole number or a text as an identifier, empty if the value is neither."""
    return str(value).strip() if isinstance(value, int | str) else ""


def prefixed(prefix: str, *values: object) -> tuple[str, ...]:
    """Identifiers of the values that have one, each once, as actors behind ``prefix``."""
    return tuple(dict.fromkeys(f"{prefix}{name}" for value in values if (name := key(value))))


def created(record: dict[str, object], field: str) -> tuple[int, int]:
    """Day and minute of the moment in a field.

    Raises:
        Unusable: If there is none, or it is no date.
    """
    if not record.get(field):
        raise Unusable(f"no {field}")
    try:
        return when(moment(record[field]))
    except ValueError:
        raise Unusable("date out of range") from None
