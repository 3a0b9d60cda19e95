"""The names of a network's classes as text: digits, or letters and things that may have any name."""

from collections.abc import Sequence

from engine import Network
from engine.checks import shorten
from engine.data.dataset import DIGITS
from ui.translation import _

MAX_SHOWN = 14  # characters of a name beside a bar or a cell
MAX_LISTED = 12  # names in a sentence


def reads_digits(network: Network) -> bool:
    """Whether the classes of the network are the digits from 0 to 9."""
    return network.class_names == DIGITS


def class_noun(names: tuple[str, ...]) -> str:
    """What the page calls one of these classes."""
    return _("digit") if names == DIGITS else _("class")


def short(name: str) -> str:
    """The name, cut off if it is too long for its place."""
    return shorten(name, MAX_SHOWN)


def with_article(name: int | str) -> str:
    """A digit as "a 7" or "an 8", any other class in quotation marks. To be escaped: a name may be any text."""
    name = str(name)
    if name in DIGITS:
        return (_("an {digit}") if name == "8" else _("a {digit}")).format(digit=name)
    return f"“{name}”"


def listed(names: Sequence[str]) -> str:
    """The names in a row, of many only the first. To be escaped: a name may be any text."""
    first = ", ".join(names[:MAX_LISTED])
    return (
        _("{names} and {count} more").format(names=first, count=len(names) - MAX_LISTED)
        if len(names) > MAX_LISTED
        else first
    )
