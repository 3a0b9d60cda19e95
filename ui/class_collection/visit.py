"""What a session does on the page Class: which collection it has joined, or which one it shows."""

import hmac
from dataclasses import dataclass, field
from itertools import chain, count
from typing import TYPE_CHECKING, NamedTuple

from engine import InklingError
from ui.class_collection.guesses import ALL, OwnGuesses
from ui.handwriting.collecting import Collecting
from ui.state import session
from ui.store import ClassCollections, ClassRecord, Donation, Store
from ui.store.class_collections import CODE, CODE_LENGTH
from ui.translation import _
from ui.visitor import workspace

if TYPE_CHECKING:
    from ui.class_collection.leaving_out import Test


class Seen(NamedTuple):
    """The drawings of a collection as they were read last."""

    code: str
    version: int
    donations: list[Donation]


@dataclass
class Visit:
    """``code`` is that of the collection that was joined; the other fields are of the phone first, then of the teacher."""

    code: str = ""
    opened_link: str = ""  # the code in the address that was tried already
    problem: str = ""
    has_agreed: bool | None = None  # None in a new session: then who has given drawings before is not asked again
    nickname: str | None = None  # None until it is known
    collecting: Collecting | None = None
    guesses: OwnGuesses = field(default_factory=OwnGuesses)
    picked: str = ""  # key of the drawing that the teacher looks at
    seen: Seen | None = None
    test: "Test | None" = None  # of leaving one writer out


def current() -> Visit:
    """This session's."""
    session().class_visit = session().class_visit or Visit()
    return session().class_visit  # pyright: ignore[reportReturnType]


def store() -> Store:
    """The store; raises ``InklingError`` if there is none now."""
    if not (store := workspace().store):
        raise InklingError(_("the database cannot be reached at the moment"))
    return store


def classes() -> ClassCollections:
    """The class collections of the store."""
    return store().class_collections


def phone(code: str) -> str:
    """The secret by which this phone's drawings are known in a collection. Nobody can find the workspace from it."""
    return hmac.digest(workspace().id.encode(), code.encode(), "sha256").hex()


def join(typed: str) -> None:
    """Join the collection with this code; raises ``InklingError`` if there is none, or too many wrong codes were tried."""
    code = "".join(typed.split()).replace("-", "").upper()
    if not CODE.fullmatch(code):
        text = _("a code has {count} letters, such as BCDF-GHJK, and none of A, E, I, L, O, S, U and Y")
        raise InklingError(text.format(count=CODE_LENGTH))
    visit = current()
    collections = classes()
    with ALL.attempt(visit.guesses) as is_right:
        if collections.find(code) is None:
            raise InklingError(_("there is no collection with this code: look at the screen again"))
        is_right()
    has_left = visit.has_agreed is False
    leave()
    visit.code, visit.has_agreed = code, False if has_left else None


def leave() -> None:
    """Be in no collection."""
    visit = current()
    visit.code, visit.has_agreed, visit.nickname, visit.collecting = "", False, None, None


def donations(collection: ClassRecord) -> list[Donation]:
    """All drawings of a collection of this workspace, oldest first; read again only if it has changed."""
    visit = current()
    if visit.seen is None or visit.seen[:2] != (collection.code, collection.version):
        drawings = classes().drawings(workspace().id, collection.code)
        visit.seen = Seen(collection.code, collection.version, drawings)
    return visit.seen.donations


def writers(donations: list[Donation], with_names: bool) -> dict[str, str]:
    """A name for each phone: its last nickname if names are on, else "writer 1" and so on in order of arrival."""
    nicknames = {donation.phone: donation.nickname for donation in donations}
    names: dict[str, str] = {}
    for number, (phone, nickname) in enumerate(nicknames.items(), 1):
        name = nickname.strip() if with_names else ""
        name = name or _("writer {number}").format(number=number)
        choices = chain([name], (f"{name[:30]} ({suffix})" for suffix in count(number)))
        names[phone] = next(choice for choice in choices if choice not in names.values())
    return names
