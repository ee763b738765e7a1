"""Workspaces: memory for intermediate values that a call borrows, and gives back for the next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ... import shapes
from ...ir import Node
from ...shapes import Dim
from ...tensor_type import TensorType
from .texts import Texts


class Workspace:
    """Writes how one face of a program borrows its memory, and how that is made.

    The memory is `slots`, and cut into pieces: arrays that lie at the beginning of a slot, or are
    slices of others. A call finds them ready. Some values are `lent` a slot: pieces of their names.
    """

    def __init__(self, texts: Texts, slots: list[Dim], lent: Mapping[Node, int]) -> None:
        self.texts, self.slots = texts, slots
        words = ("work", "workspace", "starts", "slots")
        self.work, self.function, self.starts, self.memory = map(texts.identifiers.take, words)
        self.spare = texts.made_once("spare", "{}")
        self.names: dict[str, str] = {}
        """What pieces are called, by their texts."""
        self.pieces = {texts.name(v): self._array(slot, v.type) for v, slot in lent.items()}
        self.arrays: dict[tuple[int, TensorType], str] = {}

    def array(self, slot: int, type: TensorType) -> str:
        """The piece at the beginning of a slot; what later lies there in this type has the same.

        It is None when it would be a single element.
        """
        found = self.arrays.get((slot, type))
        if found is None:
            text = self._array(slot, type)
            if not shapes.is_at_least(type.size, 2):
                text = f"{self.texts.use('unless_single')}({text})"
            found = self.arrays[slot, type] = self.cut(text)
        return found

    def cut(self, text: str) -> str:
        """The piece of some text."""
        found = self.names.get(text)
        if found is None:
            found = self.names[text] = self.texts.identifiers.take(f"b{len(self.names) + 1}")
            self.pieces[found] = text
        return found

    def _array(self, slot: int, type: TensorType) -> str:
        shape = self.texts.size(type.shape)
        return f"np.ndarray({shape}, np.{type.dtype.name}, {self.memory}, {self.starts}[{slot}])"

    def borrowed(self) -> Iterator[str]:
        """The lines of a call that come first."""
        make = f"{self.texts.use('borrowed')}({self.spare}, {self.function}{self._sizes})"
        yield f"{self.work} = {make}"
        yield f"{self._all} = {self.work}"

    def given_back(self) -> Iterator[str]:
        """The lines of a call that come last."""
        yield f"{self.texts.use('give_back')}({self.spare}, {self.work}{self._sizes})"

    def made(self) -> str:
        """The function that makes the memory."""
        lines = ['"""Memory for intermediate values."""']
        sizes = ", ".join(map(self.texts.size, self.slots))
        lines.append(f"{self.starts} = {self.texts.use('one_after_another')}({sizes})")
        lines.append(f"{self.memory} = np.empty({self.starts}[-1], np.uint8)")
        lines += [f"{name} = {text}" for name, text in self.pieces.items()]
        lines.append(f"return {self._all}")
        return "\n    ".join([f"def {self.function}({self._sizes[2:]}):", *lines])

    @property
    def _all(self) -> str:
        return ", ".join(self.pieces) + ("," if len(self.pieces) == 1 else "")

    @property
    def _sizes(self) -> str:
        return "".join(f", {name}" for name in self.texts.dim_names.values())
