"""Boxes of text, held against those of RapidOCR, which brings the detector."""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray


def ruled(count: int, slope: float) -> NDArray[np.float32]:
    """Likelihoods as the detector gives them for a page of lines that slope."""
    seen = np.zeros((640, 480), np.uint8)
    for y in range(30, 30 + 20 * count, 20):
        cv2.line(seen, (40, y), (430, round(y + 390 * slope)), 255, 7)
    return np.asarray(cv2.GaussianBlur(seen, (0, 0), 2) / 255, np.float32)


def noise(seed: int) -> NDArray[np.float32]:
    """Spots of every size and shape."""
    chance = np.random.default_rng(seed)
    blurred = cv2.GaussianBlur(chance.random((320, 480)), (0, 0), float(chance.uniform(0.6, 6)))
    return np.asarray((blurred - blurred.min()) / np.ptp(blurred), np.float32)


@pytest.mark.parametrize(
    "likely",
    [
        pytest.param(np.zeros((64, 64), np.float32), id="nothing"),
        pytest.param(np.ones((64, 64), np.float32), id="everything"),
        *(pytest.param(ruled(25, slope), id=f"slope {slope}") for slope in (0, 0.01, -0.05, 0.4)),
        *(pytest.param(noise(seed), id=f"noise {seed}") for seed in range(8)),
    ],
)
def test_boxes_are_those_that_rapidocr_finds(likely: NDArray[np.float32]) -> None:
    pytest.importorskip("openvino")
    from rapidocr.ch_ppocr_det.utils import DBPostProcess

    from docpipe.engines.ocr.openvino.boxes import boxes_in

    theirs = DBPostProcess(
        thresh=0.3, box_thresh=0.5, max_candidates=5_000, unclip_ratio=1.6, use_dilation=True
    )
    boxes, _ = theirs(likely[np.newaxis, np.newaxis], likely.shape)
    assert boxes_in(likely).tolist() == np.asarray(boxes).reshape(-1, 4, 2).tolist()


def test_the_boxes_settings_are_those_of_rapidocrs_configuration() -> None:
    from importlib.resources import files

    from omegaconf import OmegaConf

    whole: Any = OmegaConf.to_container(OmegaConf.load(str(files("rapidocr") / "config.yaml")))
    detection = whole["Det"]
    names = ("thresh", "box_thresh", "unclip_ratio", "use_dilation", "score_mode", "mean", "std")
    assert {name: detection[name] for name in names} == {
        "thresh": 0.3,
        "box_thresh": 0.5,
        "unclip_ratio": 1.6,
        "use_dilation": True,
        "score_mode": "fast",
        "mean": [0.5] * 3,
        "std": [0.5] * 3,
    }
