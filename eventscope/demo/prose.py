"""What people on the blog are called and write, from a seeded random generator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from random import Random

_FIRST: Final = (
    "Ada", "Béatrice", "Chidi", "Dmitri", "Elif", "Farah", "Grete", "Hiro", "İnci", "José",
    "Khadija", "Lars", "Mei", "Nadia", "Olga", "Paulo", "Quinn", "Renée", "Søren", "Tove", "Uma",
    "Violeta", "Wen", "Xóchitl", "Yusuf", "Zoë",
)  # fmt: skip
_LAST: Final = (
    "Abe", "Bauer", "Çelik", "Dubois", "Eriksen", "Fonseca", "García", "Hopper", "Ibsen",
    "Jansen", "Kovács", "Lovelace", "Müller", "Nguyễn", "O'Brien", "Peña", "Quirke", "Rossi",
    "Šimek", "Turing", "Ueda", "Vogel", "Woźniak", "Yamada",
)  # fmt: skip
_SUBJECTS: Final = (
    "the index", "a slow query", "our backup", "the new release", "an old bug",
    "the café next door", "a replica", "my garden", "the write-ahead log", "a small town",
    "the night train", "one test",
)  # fmt: skip
_VERBS: Final = (
    "survived", "surprised us in", "taught me about", "is not ready for", "runs smoothly after",
    "got lost in", "was worth", "made sense of", "keeps up with", "fell in love with",
)  # fmt: skip
_OBJECTS: Final = (
    "the summer", "a full disk", "ten thousand rows", "東京", "the long weekend", "production",
    "a naïve rewrite", "the third retry", "twelve cups of tea", "São Paulo", "Monday morning",
)  # fmt: skip
_ASIDES: Final = ("Thanks! 🎉", "[citation needed]", "— who knew?", "Well…", "[draft]", "100 % 👍")


def name(random: Random) -> str:
    """A person's name."""
    return f"{random.choice(_FIRST)} {random.choice(_LAST)}"


def email(random: Random) -> str:
    """An address that nobody else has."""
    return f"reader{random.getrandbits(40):x}@example.org"


def title(random: Random) -> str:
    """A post's title."""
    text = _clause(random)
    return f"[{random.choice(('draft', 'news', 'part 2'))}] {text}" if _seldom(random) else text


def body(random: Random) -> str:
    """A post's text: a few paragraphs."""
    return "\n\n".join(comment(random) for _ in range(random.randint(1, 3)))


def comment(random: Random) -> str:
    """A comment's text: a few sentences, at times over two lines."""
    sentences = [f"{_clause(random)}." for _ in range(random.randint(1, 3))]
    if _seldom(random):
        sentences.append(random.choice(_ASIDES))
    return ("\n" if _seldom(random) else " ").join(sentences)


def settings(random: Random) -> dict[str, Any]:
    """A profile's settings: nested, as jsonb tends to be."""
    return {
        "theme": random.choice(["light", "dark", "high contrast"]),
        "notifications": {"mail": random.random() < 0.5, "push": random.random() < 0.5},
        "favourites": random.sample(_SUBJECTS, 2),
    }


def _clause(random: Random) -> str:
    subject = random.choice(_SUBJECTS)
    return f"{subject[0].upper()}{subject[1:]} {random.choice(_VERBS)} {random.choice(_OBJECTS)}"


def _seldom(random: Random) -> bool:
    return random.random() < 0.1
