"""Text that prints as `***`."""

from __future__ import annotations

from typing import Final

MASK: Final = "***"


class Secret:
    """Text that is never shown by repr, str or formatting, and cannot be pickled or copied.

    Args:
        value: the text.
        name: its name in messages, such as `the API key`.
    """

    __slots__ = ("_value", "name")

    def __init__(self, value: str, name: str = "a secret") -> None:
        self._value = value
        self.name: str = name

    def reveal(self) -> str:
        """Return the text itself, for the header that needs it."""
        return self._value

    def __repr__(self) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a Secret cannot be pickled")
