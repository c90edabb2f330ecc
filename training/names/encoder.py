"""The tagger as PyTorch sees it: MiniLM's encoder, told the form of each word, and a head of BIOES tags."""

from __future__ import annotations

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from docpipe.engines.ner.tags import TAGS
from docpipe.engines.ner.wordpieces import GAPS, SHAPES
from training.minilm import HEADS, LAYERS, WIDTH, encoder_folder


class Layer(nn.Module):
    """BERT's: attention, then two linear layers, each added to its input and normalised."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)
        self.norm1 = nn.LayerNorm(WIDTH, eps=1e-12)
        self.up = nn.Linear(WIDTH, 4 * WIDTH)
        self.down = nn.Linear(4 * WIDTH, WIDTH)
        self.norm2 = nn.LayerNorm(WIDTH, eps=1e-12)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        b, n, _ = x.shape
        q, k, v = self.qkv(x).view(b, n, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        scores = q @ (k * (WIDTH // HEADS) ** -0.5).transpose(-1, -2)
        mixed = (scores if mask is None else scores + mask).softmax(-1) @ v
        x = self.norm1(x + self.out(mixed.transpose(1, 2).reshape(b, n, WIDTH)))
        return self.norm2(x + self.down(functional.gelu(self.up(x))))


class Tagger(nn.Module):
    """Scores of the tags for every wordpiece; those of a word's first piece count."""

    def __init__(self, dropout: float = 0.1) -> None:
        super().__init__()
        self.words = nn.Embedding(30522, WIDTH)
        self.positions = nn.Embedding(512, WIDTH)
        self.norm = nn.LayerNorm(WIDTH, eps=1e-12)
        self.shapes = nn.Embedding(SHAPES, WIDTH)
        self.gaps = nn.Embedding(GAPS, WIDTH)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.late_shapes = nn.Embedding(SHAPES, WIDTH)
        self.late_gaps = nn.Embedding(GAPS, WIDTH)
        self.head = nn.Linear(WIDTH, len(TAGS))
        self.dropout = dropout
        for added in (self.shapes, self.gaps, self.late_shapes, self.late_gaps):
            nn.init.zeros_(added.weight)

    def forward(self, pieces: Tensor, shapes: Tensor, gaps: Tensor, mask: Tensor | None = None) -> Tensor:
        embedded = self.words(pieces) + self.positions.weight[: pieces.shape[1]]
        return self.tagged(embedded, shapes, gaps, mask)

    def tagged(self, embedded: Tensor, shapes: Tensor, gaps: Tensor, mask: Tensor | None) -> Tensor:
        x = self.norm(embedded + self.shapes(shapes) + self.gaps(gaps))
        x = functional.dropout(x, self.dropout, self.training)
        for layer in self.layers:
            x = layer(x, mask)
        x = functional.dropout(x, self.dropout, self.training)
        return self.head(x + self.late_shapes(shapes) + self.late_gaps(gaps))


def pretrained() -> Tagger:
    """A tagger with the encoder's weights, its own parts untrained."""
    weights = load_file(encoder_folder() / "model.safetensors")
    model = Tagger()
    own = model.state_dict()
    own["words.weight"] = weights["embeddings.word_embeddings.weight"]
    own["positions.weight"] = (
        weights["embeddings.position_embeddings.weight"]
        + weights["embeddings.token_type_embeddings.weight"][0]
    )
    for kind in ("weight", "bias"):
        own[f"norm.{kind}"] = weights[f"embeddings.LayerNorm.{kind}"]
        for i in range(LAYERS):
            theirs = f"encoder.layer.{i}"
            parts = [weights[f"{theirs}.attention.self.{part}.{kind}"] for part in ("query", "key", "value")]
            own[f"layers.{i}.qkv.{kind}"] = torch.cat(parts)
            own[f"layers.{i}.out.{kind}"] = weights[f"{theirs}.attention.output.dense.{kind}"]
            own[f"layers.{i}.norm1.{kind}"] = weights[f"{theirs}.attention.output.LayerNorm.{kind}"]
            own[f"layers.{i}.up.{kind}"] = weights[f"{theirs}.intermediate.dense.{kind}"]
            own[f"layers.{i}.down.{kind}"] = weights[f"{theirs}.output.dense.{kind}"]
            own[f"layers.{i}.norm2.{kind}"] = weights[f"{theirs}.output.LayerNorm.{kind}"]
    model.load_state_dict(own)
    return model
