"""A data set's own words for expressions, and what they mean in the vocabulary."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from palsykit.faces.vocabulary import EXPRESSIONS, canonical_expression


class UnknownExpression(ValueError):
    """An unexplained word. It stops the reading, because to leave out its photographs would change the data set."""


@dataclass(frozen=True)
class Words:
    """A data set's own words, beside the vocabulary's; case and blanks do not count.

    Attributes:
        meanings: word -> canonical expression, or the word itself if it is kept.
    """

    meanings: Mapping[str, str]

    def canonical(self, where: str, word: str) -> str:
        """The canonical expression, or the data set's own word if it is kept.

        Raises:
            UnknownExpression: for a word that is neither; the message lists the vocabulary and how to add a word.
        """
        meaning = self.meanings.get(_plain(word))
        if meaning is not None:
            return meaning
        try:
            return canonical_expression(word)
        except ValueError as error:
            raise UnknownExpression(
                f"{where}: {error}; say in the recipe's data what it is, as expressions: {{{word}: smile_full}}, "
                f"or keep the word with {{{word}: {word}}}"
            ) from None

    def knows(self, word: str) -> bool:
        """Whether ``canonical`` has an answer."""
        try:
            self.canonical("", word)
        except UnknownExpression:
            return False
        return True


def words_of(layout: str, expressions: Mapping[str, str] | None) -> Words:
    """The key ``expressions`` of a data set: own word -> a name or alias of the vocabulary, or the same word again.

    Raises:
        ValueError: for any other meaning, or a word with two meanings.
    """
    return Words(meanings_of(f"{layout}: expressions", expressions or {}))


def meanings_of(where: str, words: Mapping[str, str]) -> dict[str, str]:
    """{word, without regard to case and blanks: canonical expression or the word itself}.

    Raises:
        ValueError: for a meaning that is not an expression, or a word with two meanings, with ``where``.
    """
    meanings: dict[str, str] = {}
    for word, meaning in words.items():
        canonical = _meaning(where, word, meaning)
        if meanings.setdefault(_plain(word), canonical) != canonical:
            raise ValueError(
                f"{where}: found {word!r} twice, expected one meaning for it; blanks and case do not count"
            )
    return meanings


def check_all(layout: str, found: Mapping[str, Iterable[str]], words: Words, step: str) -> None:
    """Refuses unexplained words, all of them in one message.

    Args:
        layout: the data set's kind.
        found: word -> the photographs whose names have it.
        words: the explained words.
        step: how to explain the rest.

    Raises:
        UnknownExpression: gives each word with its number of photographs and the first of them, and the vocabulary.
    """
    unknown = {word: sorted(keys) for word, keys in found.items() if not words.knows(word)}
    if not unknown:
        return
    listed = "; ".join(
        f"{word!r} ({len(keys)} photograph{'s' * (len(keys) > 1)}, such as {keys[0]!r})"
        for word, keys in sorted(unknown.items())
    )
    raise UnknownExpression(
        f"{layout}: found unknown expressions: {listed}; expected {', '.join(EXPRESSIONS)}, an alias of one, or a word "
        f"that you explain: {step}"
    )


def _meaning(where: str, word: str, meaning: str) -> str:
    try:
        return canonical_expression(meaning)
    except ValueError as error:
        if word == meaning:
            return word.strip()
        raise ValueError(
            f"{where}: {{{word}: {meaning}}}: {error}; write one, or {{{word}: {word}}} to keep it"
        ) from None


def _plain(word: str) -> str:
    return " ".join(word.casefold().split())
