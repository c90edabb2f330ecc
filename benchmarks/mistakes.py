"""What kinds of mistakes recognition makes: words that were read otherwise, not at all, or in vain.

    python -m benchmarks.mistakes --corpus DIR --sets ocr_oldbook ocr_funsd [--per-set 12]

Words are compared as multisets of a page, for the truth of forms and receipts has an order of its own: what
is missing is paired with what is too much and most like it. The first kind that fits counts.
"""

from __future__ import annotations

import argparse
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from rapidfuzz.distance import Levenshtein

from benchmarks.contenders import CONTENDERS
from benchmarks.pages import of_corpus
from benchmarks.report import machine, table
from benchmarks.scores import normalised

KINDS = (
    *(
        "words joined",
        "word parted",
        "case alone",
        "signs alone",
        "accents alone",
        "letter taken for a digit",
    ),
    *("one letter", "several letters", "not read", "not there"),
)
_DIGITS = str.maketrans("oOQDlIi|!zZsSBgGqb", "000011111225589996")
_LIKE = 0.5
"""Words are the same one read otherwise where so much of the longer agrees."""


def mistakes(truth: str, text: str) -> Counter[str]:
    """How many mistakes of each kind a page has; one that joins or parts words counts as one."""
    right, read = (Counter(normalised(each).split()) for each in (truth, text))
    missing, surplus = right - read, read - right
    found = Counter({"words joined": _split_up(surplus, missing), "word parted": _split_up(missing, surplus)})
    for word in sorted(missing.elements(), key=len, reverse=True):
        other = _nearest(word, surplus)
        surplus[other or ""] -= 1
        found[_kind(word, other) if other else "not read"] += 1
    found["not there"] = sum(count for word, count in surplus.items() if word and count > 0)
    return found


def _split_up(whole: Counter[str], parts: Counter[str]) -> int:
    """How many words are two of the others, which are taken away with them."""
    found = 0
    for word in list(whole.elements()):
        for place in range(1, len(word)):
            needed = Counter((word[:place], word[place:]))
            if needed <= parts:
                parts -= needed
                whole[word] -= 1
                found += 1
                break
    return found


def _nearest(word: str, others: Mapping[str, int]) -> str | None:
    like = partial(Levenshtein.normalized_similarity, word.casefold())
    near = ((like(other.casefold()), other) for other, left in others.items() if left > 0)
    likeness, other = max(near, default=(0.0, None))
    return other if likeness >= _LIKE else None


def _kind(word: str, other: str) -> str:
    for kind, seen in _ALIKE.items():
        if seen(word) == seen(other):
            return kind
    return "one letter" if Levenshtein.distance(word, other) == 1 else "several letters"


def _letters_of(word: str) -> str:
    return "".join(filter(str.isalnum, word))


def _bare(word: str) -> str:
    return "".join(each for each in unicodedata.normalize("NFD", word) if not unicodedata.combining(each))


def _in_digits(word: str) -> str:
    return word.translate(_DIGITS)


_ALIKE: Mapping[str, Callable[[str], str]] = {
    "case alone": str.casefold,
    "signs alone": _letters_of,
    "accents alone": _bare,
    "letter taken for a digit": _in_digits,
}
"""As what words are the same that differ in this alone."""


def counted(pages: Iterable[tuple[str, str, str]]) -> dict[str, Counter[str]]:
    """Of each set: its mistakes by kind, and its `words`. A page is its set, truth and text."""
    found: dict[str, Counter[str]] = {}
    for name, truth, text in pages:
        of_set = found.setdefault(name, Counter())
        of_set += mistakes(truth, text) + Counter(words=len(normalised(truth).split()))
    return found


def shown(found: Mapping[str, Counter[str]]) -> str:
    """The table: a row a kind, a column a set."""
    rows = [[kind, *(str(each[kind]) for each in found.values())] for kind in ("words", *KINDS)]
    return table(["", *found], rows)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.mistakes", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--corpus", type=Path, required=True, help="folder of sets with ground truth")
    parser.add_argument("--sets", nargs="*", default=(), help="names of sets; all OCR sets if not given")
    parser.add_argument("--per-set", type=int, default=12, help="pages of each set, 0: all (default 12)")
    wanted = parser.parse_args()
    print(f"{machine()}.\n\n{shown(counted(_read(wanted.corpus, wanted.sets, wanted.per_set)))}")


def _read(corpus: Path, sets: Sequence[str], per_set: int) -> Iterator[tuple[str, str, str]]:
    read = CONTENDERS["docpipe"].load()
    for sample in of_corpus(corpus, sets, per_set):
        yield sample.set, sample.truth, read([(str(sample.path), sample.dpi)])[0]


if __name__ == "__main__":
    main()
