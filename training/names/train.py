"""Train the names tagger: MiniLM fine-tuned on open text, the same weights from the same seed.

    python -m training.names.train --corpus DIR --out DIR [--seed 1] [--steps 650] [--threads 2]

`training/names/README.md` says what to install; `training/names/text.py` how the corpus is laid out. Writes
`seed-N.safetensors`, and prints the F1 on the documents held back.
"""

from __future__ import annotations

import argparse
import copy
import random
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from benchmarks.spans import Score, score
from docpipe.engines.ner.tags import best_path, names, tags_of
from docpipe.engines.ner.wordpieces import Words, words
from training.minilm import encoder_folder
from training.names.encoder import Tagger, pretrained
from training.names.forms import Forms
from training.names.text import Document, Line, joined, passages, read

CLS, SEP = 101, 102
MOST_PIECES = 190
BATCH_PIECES = 2_300
IGNORED = -100
UP, DOWN = 30, 120
"""Steps in which the rate of learning rises, and falls."""

_LABELS = {"PERSON": "PERSON", "ORG": "ORG", "LOC": "LOCATION"}


class Example(NamedTuple):
    """A passage in pieces, and the tag of each word at its first piece."""

    pieces: NDArray[np.int64]
    shapes: NDArray[np.int64]
    gaps: NDArray[np.int64]
    tags: NDArray[np.int64]


def tokenizer() -> Tokenizer:
    """The encoder's, without the limits its makers set."""
    made = Tokenizer.from_file(str(encoder_folder() / "tokenizer.json"))
    made.no_truncation()
    made.no_padding()
    return made


def example(made: Tokenizer, line: Line) -> Example:
    cut = words(made, line.text)
    path = tags_of(cut.spans, [(s, e, _LABELS[label]) for s, e, label in line.spans])
    tags = np.full(len(cut.pieces), IGNORED)
    tags[cut.first[:-1]] = path
    shapes, gaps = spread(cut)
    return Example(
        *(np.concatenate(([a], part[:MOST_PIECES], [b])) for part, a, b in (
            (cut.pieces, CLS, SEP), (shapes, 11, 11), (gaps, 3, 0), (tags, IGNORED, IGNORED),
        ))
    )  # fmt: skip


def spread(cut: Words) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Shapes and gaps of the words, at each of their pieces."""
    lengths = np.diff(cut.first)
    return np.repeat(cut.shapes, lengths), np.repeat(cut.gaps, lengths)


def batches(rng: random.Random, examples: Sequence[Example]) -> list[list[Example]]:
    """Examples of like length together, in random order."""
    ranked = sorted(examples, key=lambda one: len(one.pieces) + rng.random() * 12)
    made: list[list[Example]] = [[]]
    for one in ranked:
        longest = max([len(one.pieces), *(len(other.pieces) for other in made[-1])])
        if longest * (len(made[-1]) + 1) > BATCH_PIECES and made[-1]:
            made.append([])
        made[-1].append(one)
    rng.shuffle(made)
    return made


def padded(batch: Sequence[Example]) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Pieces, shapes, gaps, mask (added to attention scores) and tags."""
    longest = max(len(one.pieces) for one in batch)
    filled = [
        torch.from_numpy(
            np.stack(
                [np.pad(one[part], (0, longest - len(one.pieces)), constant_values=fill) for one in batch]
            )
        )
        for part, fill in ((0, 0), (1, 0), (2, 0), (3, IGNORED))
    ]
    lengths = torch.tensor([len(one.pieces) for one in batch])
    mask = (torch.arange(longest)[None] >= lengths[:, None]).float()[:, None, None, :] * -1e4
    return filled[0], filled[1], filled[2], mask, filled[3]


def train(arguments: argparse.Namespace) -> None:
    torch.set_num_threads(arguments.threads)
    torch.use_deterministic_algorithms(mode=True)
    documents = read(arguments.corpus)
    kept = documents if arguments.all else [document for document in documents if not document.held_back]
    torch.manual_seed(0)  # what is new starts alike in all seeds, or their weights could not be averaged
    made, model = tokenizer(), pretrained()
    for name in ("words.weight", "positions.weight"):
        model.get_parameter(name).requires_grad_(requires_grad=False)
    torch.manual_seed(arguments.seed)
    learner = Learner(model, arguments.steps)
    stream = endless(random.Random(arguments.seed), made, kept, arguments.forms)
    path = arguments.out / f"seed-{arguments.seed}.safetensors"
    for step, batch in enumerate(islice(stream, arguments.steps), start=1):
        loss = learner.learn(batch)
        if step % 20 == 0:
            print(f"step {step}: loss {loss:.3f}, {time.process_time():.0f} s of CPU", flush=True)
            save_file(model.state_dict(), path)
    save_file(model.state_dict(), path)
    print(held_back_scores(model, made, documents))


def endless(
    rng: random.Random, made: Tokenizer, documents: Sequence[Document], count: int
) -> Iterator[list[Example]]:
    """Batches of the documents, over and over, roughened anew each time."""
    forms = Forms(documents)
    while True:
        lines = passages(rng, [*documents, *forms.documents(rng, count)], 110)
        yield from batches(rng, [example(made, line) for line in lines if line.text.strip()])


def optimisation(
    model: Tagger, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """AdamW, the encoder slower than what is new: up, long level, and down to zero in a straight line."""
    own = ("shapes", "gaps", "head", "late")
    groups: dict[tuple[bool, bool], list[torch.nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            groups.setdefault((name.startswith(own), parameter.ndim > 1), []).append(parameter)
    optimiser = torch.optim.AdamW(
        [
            {"params": found, "lr": 1e-3 if new else 1.2e-4, "weight_decay": 0.01 if matrix else 0.0}
            for (new, matrix), found in groups.items()
        ]
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min(1.0, (step + 1) / UP, max(0, steps - step) / DOWN)
    )
    return optimiser, schedule


class Learner:
    """A step of learning: gradients by a copy in bfloat16, the weights themselves in float32."""

    def __init__(self, model: Tagger, steps: int) -> None:
        self._copy = copy.deepcopy(model).bfloat16()
        self._pairs = [
            (own, copied)
            for own, copied in zip(model.parameters(), self._copy.parameters(), strict=True)
            if own.requires_grad
        ]
        self._optimiser, self._schedule = optimisation(model, steps)

    def learn(self, batch: Sequence[Example]) -> float:
        pieces, shapes, gaps, mask, tags = padded(batch)
        scores = self._copy(pieces, shapes, gaps, mask.bfloat16()).float()
        loss = functional.cross_entropy(scores.flatten(0, 1), tags.flatten(), ignore_index=IGNORED)
        loss.backward()
        for own, copied in self._pairs:
            own.grad = None if copied.grad is None else copied.grad.float()
            copied.grad = None
        torch.nn.utils.clip_grad_norm_([own for own, _ in self._pairs], 1.0)
        self._optimiser.step()
        self._schedule.step()
        with torch.no_grad():
            for own, copied in self._pairs:
                copied.copy_(own)
        return loss.item()


@torch.no_grad()
def held_back_scores(model: Tagger, made: Tokenizer, documents: Sequence[Document]) -> dict[str, str]:
    """Strict F1 of each source over its held-back documents, line by line."""
    model.eval()
    totals: dict[str, Score] = {}
    for document in documents:
        if document.held_back:
            for line in windows(document):
                gold = [(s, e, _LABELS[label]) for s, e, label in line.spans]
                found = list(predicted(model, made, line.text))
                for label in _LABELS.values():
                    before = totals.get(document.source, Score())
                    totals[document.source] = before + score(line.text, gold, found, label)
    return {source: f"{total.f1:.3f}" for source, total in totals.items()}


def windows(document: Document) -> Iterator[Line]:
    """The document's lines, four at a time."""
    for first in range(0, len(document.lines), 4):
        lines = document.lines[first : first + 4]
        yield joined(lines, ["", *["\n"] * (len(lines) - 1)])


def predicted(model: Tagger, made: Tokenizer, text: str) -> Iterator[tuple[int, int, str]]:
    cut = words(made, text)
    if not len(cut.spans):
        return
    one = example(made, Line(text, ()))
    scores = model(*(torch.from_numpy(part)[None] for part in one[:3]))[0, 1:-1].log_softmax(-1).numpy()
    first = cut.first[:-1]
    path = best_path(scores[first[first < MOST_PIECES]])
    for a, b, label in names(path):
        yield int(cut.spans[a, 0]), int(cut.spans[b - 1, 1]), label


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=650)
    parser.add_argument("--forms", type=int, default=800, help="made-up documents for once all others")
    parser.add_argument("--threads", type=int, default=2, help="for the same weights: the same number")
    parser.add_argument("--all", action="store_true", help="train on the held-back documents too")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    train(arguments)


if __name__ == "__main__":
    main()
