"""What a value's text means, by its type.

psycopg's loaders do the reading, in two contexts of adaptation: one yields Python values, the
other what stands for them in JSON. Arrays of anything come out as lists in both.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any, Final, Protocol

import msgspec
import psycopg
from psycopg.abc import AdaptContext, Buffer
from psycopg.adapt import AdaptersMap, Loader, Transformer
from psycopg.pq import Format
from psycopg.types.array import register_array
from psycopg.types.bool import BoolLoader
from psycopg.types.json import set_json_loads
from psycopg.types.numeric import IntLoader
from psycopg.types.string import TextLoader

from eventscope.event import Form

BOOL: Final = 16
BYTEA: Final = 17
TEXT: Final = 25

IMMUTABLE: Final = frozenset(
    psycopg.adapters.types[name].oid
    for name in (
        "bool", "bytea", "date", "float4", "float8", "int2", "int4", "int8", "interval", "name",
        "numeric", "oid", "text", "time", "timestamp", "timestamptz", "timetz", "uuid",
        "varchar", "bpchar",
    )
)  # fmt: skip
"""Types whose values nobody can change in place."""

_UNKNOWN: Final = 0
"""The oid whose loader stands in for that of any type without one."""

_FIRST_USER_OID: Final = 16384
"""Where the oids begin that mean another type in another database (FirstNormalObjectId)."""

_DEEPEST: Final = 500
"""Levels of a JSON document beyond which it stays text: how many Python itself can read depends
on its version, and on how deep the stack is just then."""

_BRACKET: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[\[{]|[\]}]', re.DOTALL)
"""A bracket of a JSON document, or a string, in which there are none."""

_JSON_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")


class Reader(Protocol):
    """What turns the texts of values into what a form has for them."""

    def read(self, oid: int, text: bytes) -> Any:
        """The value of a type's text; the text itself where that cannot say it."""

    def read_row(self, oids: tuple[int, ...], texts: Sequence[Any]) -> Sequence[Any]:
        """The values of a whole row at once, which is much faster; None is None.

        Raises whatever a loader raises: at a value that it cannot say, and at what is no text.
        """


def reader(form: Form) -> Reader:
    """The reader of a form, for the calling thread alone. JSON is said as ``msgspec.Raw``."""
    if form == "python":
        return _of_thread.python
    return _of_thread.json if form == "json" else _TEXTS


def built_in(oid: int, *, in_array: bool = False, delimiter: str = ",") -> int:
    """The built-in type that reads a type's values, or arrays of them.

    Args:
        oid: the type, no domain.
        in_array: whether the values are arrays of the type.
        delimiter: what stands between two elements of an array (pg_type.typdelim).
    """
    info = psycopg.adapters.types.get(oid) if oid < _FIRST_USER_OID else None
    if not in_array:
        return oid if info else TEXT
    if info is None or info.oid != oid:
        info = psycopg.adapters.types["box" if delimiter == ";" else "text"]
    return info.array_oid if info.delimiter == delimiter else TEXT


def name(oid: int) -> str:
    """A built-in type's name; the oid of any other."""
    info = psycopg.adapters.types.get(oid)
    if info is None:
        return str(oid)
    return info.name.strip('"') + ("[]" if oid == info.array_oid else "")


def _as_text(oid: int, text: bytes) -> str:
    return text.decode("utf-8", "replace")


class _Texts:
    """PostgreSQL's own texts."""

    def read(self, oid: int, text: bytes) -> str:
        return _as_text(oid, text)

    def read_row(self, oids: tuple[int, ...], texts: Sequence[Any]) -> Sequence[str | None]:
        return [None if text is None else _as_text(0, text) for text in texts]


_Row = tuple[Callable[[Sequence[Any]], Sequence[Any]], Sequence[int]]
"""What loads a row of certain types at once, and where the arrays are in it."""


class _Loaders(dict[int, Callable[[bytes], Any]]):
    """The loaders of a context, made when first needed."""

    def __init__(self, adapters: AdaptersMap) -> None:
        self._transformer = Transformer(adapters)
        self._rows: dict[tuple[int, ...], _Row] = {}

    def read_row(self, oids: tuple[int, ...], texts: Sequence[Any]) -> Sequence[Any]:
        load, arrays = self._rows.get(oids) or self._row(oids)
        for place in arrays:
            _check_bounds(texts[place])
        return load(texts)

    def _row(self, oids: tuple[int, ...]) -> _Row:
        transformer = Transformer(self._transformer.adapters)
        transformer.set_loader_types(oids, Format.TEXT)
        arrays = [place for place, oid in enumerate(oids) if self._is_array(oid)]
        row = self._rows[oids] = (transformer.load_sequence, arrays)
        return row

    def read(self, oid: int, text: bytes) -> Any:
        try:
            return self[oid](text)
        except Exception:  # whatever a loader cannot say stays as PostgreSQL said it
            return _as_text(oid, text)

    def __missing__(self, oid: int) -> Callable[[bytes], Any]:
        load: Callable[[bytes], Any] = self._transformer.get_loader(oid, Format.TEXT).load
        if self._is_array(oid):
            load = _exact_array(load)
        self[oid] = load
        return load

    def _is_array(self, oid: int) -> bool:
        info = self._transformer.adapters.types.get(oid)
        return info is not None and info.array_oid == oid


class _JsonLoaders(_Loaders):
    """Loaders whose values are written as JSON at once, where that can still fail."""

    def read_row(self, oids: tuple[int, ...], texts: Sequence[Any]) -> Sequence[Any]:
        return [
            None if text is None else self.read(oid, text)
            for oid, text in zip(oids, texts, strict=True)
        ]

    def read(self, oid: int, text: bytes) -> msgspec.Raw:
        try:
            written = msgspec.json.encode(self[oid](text))
        except Exception:
            written = msgspec.json.encode(_as_text(oid, text))
        return msgspec.Raw(written)


def _exact_array(load: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    def load_exactly(text: bytes) -> Any:
        _check_bounds(text)
        return load(text)

    return load_exactly


def _check_bounds(array: bytes | None) -> None:
    """Raise ValueError for an array whose bounds a list cannot hold: ``[0:1]={a,b}``."""
    if array is not None and array.startswith(b"["):
        raise ValueError("the array does not start at 1")


def _python() -> AdaptersMap:
    """What psycopg makes of them, where it is exact."""
    adapters = AdaptersMap(psycopg.adapters)
    # a timedelta tells neither a month from 30 days nor a day from 24 hours
    adapters.register_loader("interval", TextLoader)
    set_json_loads(_document, adapters)
    return adapters


def _document(text: str | bytes) -> Any:
    """A JSON document; raises ValueError where Python cannot say all of it."""
    if _is_too_deep(text if isinstance(text, bytes) else text.encode()):
        raise ValueError("it is nested too deep")
    return json.loads(text, parse_float=Decimal, object_pairs_hook=_object)


def _is_too_deep(document: bytes) -> bool:
    """Whether the arrays and objects of a document lie deeper in one another than may be."""
    if document.count(b"[") + document.count(b"{") <= _DEEPEST:
        return False
    depth = 0
    for bracket in _BRACKET.finditer(document):
        if bracket[0] in (b"[", b"{"):
            depth += 1
            if depth > _DEEPEST:
                return True
        elif bracket[0] in (b"]", b"}"):
            depth -= 1
    return False


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object as a dict; raises ValueError where that would lose a repeated key."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key is repeated")
    return members


def _json() -> AdaptersMap:
    """Strings, except for what JSON or ISO 8601 can say better."""
    adapters = AdaptersMap(types=psycopg.adapters.types)
    adapters.register_loader(_UNKNOWN, TextLoader)
    adapters.register_loader("bool", BoolLoader)
    for name in ("int2", "int4", "int8", "oid"):
        adapters.register_loader(name, IntLoader)
    for name in ("numeric", "float4", "float8"):
        adapters.register_loader(name, _NumberLoader)
    for name in ("json", "jsonb"):
        adapters.register_loader(name, _DocumentLoader)
    for name in ("date", "time", "timetz", "timestamp", "timestamptz"):
        adapters.register_loader(name, _IsoLoader)
    for info in adapters.types:
        if info.array_oid:
            register_array(info, adapters)
    return adapters


class _NumberLoader(Loader):
    """All the digits; NaN and the infinities as strings."""

    def load(self, data: Buffer) -> msgspec.Raw | str:
        text = str(data, "utf-8")
        return msgspec.Raw(text) if _JSON_NUMBER.fullmatch(text) else text


class _DocumentLoader(Loader):
    """The document as it stands, in one line."""

    def load(self, data: Buffer) -> msgspec.Raw:
        text = str(data, "utf-8")
        with suppress(RecursionError):  # as deep as that only the server can check
            _check(text)
        return msgspec.Raw(text.replace("\n", " ").replace("\r", " "))


def _check(document: str) -> None:
    """Raise ValueError for what is no JSON."""
    try:
        msgspec.json.decode(document, type=msgspec.Raw)
    except msgspec.DecodeError:
        json.loads(document, parse_int=str)  # takes lone surrogates, as type json does


class _IsoLoader(Loader):
    """ISO 8601, moments in UTC; PostgreSQL's text where Python has no such date or time."""

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        self._load = _of_thread.python[oid]

    def load(self, data: Buffer) -> str:
        text = bytes(data)
        try:
            iso: str = self._load(text).isoformat()
        except psycopg.DataError:
            return str(text, "utf-8")
        return iso


class _OfThread(threading.local):
    """psycopg's loaders keep state, so each thread has its own."""

    def __init__(self) -> None:
        self.python = _Loaders(_PYTHON)
        self.json = _JsonLoaders(_JSON)


_TEXTS: Final = _Texts()
_PYTHON: Final = _python()
_JSON: Final = _json()
_of_thread: Final = _OfThread()
