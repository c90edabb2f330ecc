"""Pictures come out upright, in colour, with square pixels, and within limits."""

from __future__ import annotations

import re
from base64 import b85decode
from contextlib import closing
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageFile

from docpipe.errors import CorruptDocumentError, TooManyPagesError, TooManyPixelsError
from docpipe.formats import open_document
from docpipe.formats.base import Limits, RawPage

UPRIGHT = Image.new("RGB", (60, 40), "white")
UPRIGHT.paste((200, 0, 0), (0, 0, 20, 10))
HEIC = b85decode(
    "0000SW^{RQXk}?*00000ZE0pPXk}?*ZE0a<00042ZDn*}000000000XXk=`10000000000aA{+7000000000000000"
    "00000B57=IV*mgE07O6l0RRC200001dH?|c00000003eD001LtX>Mi!000000RR916=`l}WdZ;I000310BCk&F#rGn"
    "01j|zbZr0t000010002iX>f9I0002DX>en20001ZXm(>m0RwOV0058x000009`FGC{rLC*01pFT0096PKmiN^|NjGU"
    "00093kN^M!000939=ZZRVE_RDD?$MQ18@KU0|1Z!00RI30{|YNAb|yz>PacCZUPz%2mk;B0LTCU0{{p>VgLaE2SfqE"
    "a<C#m0000JV{dG7ZewhC0096E00w{n000zeb8uw<00000002M$002M$000nhX?SS>000032nYxO000+haBX1#00000"
    "000310R({p0|Wp70BUVyVRQfh0A45ouL<DcO1zp6|N1mN|M!tQFW0V=DHE6e1?v^|gR%dYG4w(6;jt*8BnSX*>A)%@"
    "UMMM<;`f86R9w9S9$J~jpMd9Wt52i`eMsT{r&)OM#sB`D(w5sKZ*Fg{"
)
"""64 x 64 pixels, white, the upper left quarter of half the height red; made by libheif and x265."""
STORED_AS = {  # EXIF orientation: how the upright picture lies in the file
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def only_page(data: bytes, limits: Limits | None = None) -> RawPage:
    (page,) = open_document(data, "picture", limits or Limits()).pages()
    return page


def pixels(page: RawPage) -> NDArray[np.uint8]:
    assert page.image is not None
    return page.image(200).pixels


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "GIF"])
def test_pixels_are_blue_green_red(kind: str) -> None:
    page = only_page(encoded(UPRIGHT, kind))
    assert pixels(page).shape == (40, 60, 3)
    assert (pixels(page)[0, 0].tolist(), pixels(page)[39, 59].tolist()) == ([0, 0, 200], [255, 255, 255])


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "JPEG2000", "AVIF"])
def test_lossy_kinds_are_read(kind: str) -> None:
    assert 180 <= int(pixels(only_page(encoded(UPRIGHT, kind)))[2, 2, 2]) <= 220


def test_a_picture_of_a_telephone_is_read() -> None:
    shown = pixels(only_page(HEIC))
    assert shown.shape == (64, 64, 3)
    assert 180 <= int(shown[4, 4, 2]) <= 220
    assert int(shown[40, 40].min()) > 230


@pytest.mark.parametrize("orientation", STORED_AS)
@pytest.mark.parametrize(("kind", "compression"), [("PNG", None), ("TIFF", None), ("TIFF", "tiff_lzw")])
def test_a_turned_picture_is_turned_back_once(
    orientation: int, kind: str, compression: str | None, tmp_path: Path
) -> None:
    turn = STORED_AS[orientation]
    stored = UPRIGHT if turn is None else UPRIGHT.transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"compression": compression} if compression else {}
    path = tmp_path / "picture"
    path.write_bytes(encoded(stored, kind, exif=exif, **options))
    # By path as well, because Pillow reads an uncompressed TIFF another way then.
    for data in (path, path.read_bytes()):
        with closing(open_document(data, "picture")) as reader:
            (page,) = reader.pages()
            assert (page.width, page.height) == pytest.approx((60 * 72 / 200, 40 * 72 / 200))
            assert pixels(page).tolist() == np.asarray(UPRIGHT)[:, :, ::-1].tolist()


def test_resolution_gives_the_size_in_points() -> None:
    page = only_page(encoded(UPRIGHT, "PNG", dpi=(300, 300)))
    assert page.image is not None
    assert (page.width, page.height) == pytest.approx((14.4, 9.6), abs=0.01)
    assert page.image(200).points_per_pixel == pytest.approx(72 / 300, abs=0.001)


@pytest.mark.parametrize("dpi", [(1, 1), (0, 0), (5000, 5000)])
def test_a_senseless_resolution_counts_as_200(dpi: tuple[int, int]) -> None:
    assert only_page(encoded(UPRIGHT, "TIFF", dpi=dpi)).width == pytest.approx(60 * 72 / 200)


def test_a_fax_gets_square_pixels() -> None:
    page = only_page(encoded(UPRIGHT.convert("1"), "TIFF", dpi=(204, 102), compression="group4"))
    assert page.image is not None
    assert pixels(page).shape == (80, 60, 3)
    assert (page.width, page.height) == pytest.approx((60 * 72 / 204, 40 * 72 / 102))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "I", "F", "LAB"])
def test_every_mode_shows_black_on_white(mode: str) -> None:
    page = Image.new("L", (30, 20), 255)
    page.paste(0, (5, 5, 15, 15))
    if mode in {"I;16", "I", "F"}:
        deep = np.where(np.asarray(page) > 0, 4095, 7)  # 12 bits, as scanners deliver
        kinds = {"I;16": np.uint16, "I": np.int32, "F": np.float32}
        picture = Image.fromarray(deep.astype(kinds[mode]))
    elif mode == "LAB":
        picture = Image.merge("LAB", [page, *[Image.new("L", (30, 20), 128)] * 2])
    else:
        picture = page.convert("RGB").convert(mode) if mode == "CMYK" else page.convert(mode)
    shown = pixels(only_page(encoded(picture, "TIFF")))
    assert shown[10, 10].max() < 40
    assert shown[1, 1].min() > 215


def test_transparent_parts_are_white() -> None:
    picture = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    assert pixels(only_page(encoded(picture, "PNG"))).min() == 255


def test_white_on_a_transparent_ground_is_shown_on_black() -> None:
    picture = Image.new("RGBA", (30, 20), (255, 255, 255, 0))
    picture.paste((255, 255, 255, 255), (5, 5, 15, 15))
    shown = pixels(only_page(encoded(picture, "PNG")))
    assert (shown[10, 10].min(), shown[1, 1].max()) == (255, 0)


def test_each_frame_of_a_tiff_is_a_page() -> None:
    second = UPRIGHT.transpose(Image.Transpose.ROTATE_90).convert("L")
    data = encoded(UPRIGHT, "TIFF", save_all=True, append_images=[second])
    pages = list(open_document(data, "scan.tif").pages())
    assert [pixels(page).shape for page in pages] == [(40, 60, 3), (60, 40, 3)]
    assert [page.image_share for page in pages] == [1.0, 1.0]
    assert pixels(pages[0]).shape == (40, 60, 3)  # and back


def test_too_many_frames_are_refused_before_they_are_counted() -> None:
    data = encoded(UPRIGHT, "TIFF", save_all=True, append_images=[UPRIGHT] * 4)
    assert len(list(open_document(data, "a.tif", Limits(max_image_frames=5)).pages())) == 5
    with pytest.raises(TooManyPagesError, match="more than 4"):
        open_document(data, "a.tif", Limits(max_image_frames=4))


def led_back(tiff: bytes) -> bytes:
    """The file, whose last picture is followed by its first again."""
    first = place = int.from_bytes(tiff[4:8], "little")
    while place:
        tags = int.from_bytes(tiff[place : place + 2], "little")
        last = place + 2 + 12 * tags
        place = int.from_bytes(tiff[last : last + 4], "little")
    return tiff[:last] + first.to_bytes(4, "little") + tiff[last + 4 :]


def test_pictures_that_go_in_a_circle_are_read_once_and_warned_about() -> None:
    data = encoded(UPRIGHT, "TIFF", save_all=True, append_images=[UPRIGHT])
    for pictures, warnings in ((data, []), (led_back(data), [("content_lost", 2)])):
        with closing(open_document(pictures, "a.tif")) as reader:
            assert [pixels(page).shape for page in reader.pages()] == [(40, 60, 3)] * 2
            assert [(warn.code, warn.page) for warn in reader.warnings] == warnings


@pytest.mark.parametrize("limits", [Limits(max_image_pixels=2399), Limits(max_image_side=59)])
def test_too_large_a_picture_is_refused_by_its_header(limits: Limits) -> None:
    with pytest.raises(TooManyPixelsError, match="60 x 40"):
        open_document(encoded(UPRIGHT, "PNG")[:60], "a.png", limits)


def test_render_limits_shrink_a_picture_and_keep_its_place_in_points() -> None:
    page = only_page(encoded(UPRIGHT, "PNG"), Limits(max_render_pixels=600))
    assert page.image is not None
    image = page.image(200)
    assert image.pixels.shape == (20, 30, 3)
    assert image.points_per_pixel == pytest.approx(2 * 72 / 200)


NOISE = Image.effect_noise((100, 200), 50)
CUT = [
    (encoded(NOISE, "JPEG"), "40%"),
    (encoded(NOISE, "JPEG", progressive=True), "some of what it shows"),
    (encoded(NOISE, "PNG"), "40%"),
    (encoded(NOISE, "BMP"), "40%"),
    (encoded(NOISE, "GIF", interlace=False), "40%"),
]


@pytest.mark.parametrize(("data", "lost"), CUT)
def test_a_picture_that_is_cut_off_is_read_as_far_as_it_goes(data: bytes, lost: str) -> None:
    with closing(open_document(data[: len(data) * 3 // 5], "a picture")) as reader:
        (shown,) = [pixels(page) for page in reader.pages()]
        assert shown[:100].std() > 30
        (warning,) = reader.warnings
    assert (warning.code, warning.page) == ("content_lost", 1)
    part = re.sub(r"\d+%", lambda share: f"{round(int(share[0][:-1]), -1)}%", warning.message)
    assert part.removesuffix(" of its height is missing.").removesuffix(" is missing.").endswith(lost)


@pytest.mark.parametrize("data", [CUT[0][0], CUT[2][0], CUT[3][0]])
def test_a_picture_of_which_less_than_a_tenth_is_there_is_corrupt(data: bytes) -> None:
    with pytest.raises(CorruptDocumentError, match=r"a\.png is a damaged picture"):
        pixels(next(open_document(data[: len(data) // 12], "a.png").pages()))


def test_what_pillow_does_for_the_host_is_left_as_it_was() -> None:
    pixels(only_page(CUT[2][0][: len(CUT[2][0]) // 2]))
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


def test_a_jpeg_that_ends_in_the_decoders_grey_is_said_to_lack_its_lower_part() -> None:
    def warnings_of(filling: int) -> list[str]:
        picture = Image.linear_gradient("L").resize((64, 100))
        picture.paste(filling, (0, 60, 64, 100))
        reader = open_document(encoded(picture, "JPEG"), "a.jpg")
        for page in reader.pages():
            assert page.image is not None
            page.image(200)
        return [warn.code for warn in reader.warnings]

    assert warnings_of(128) == ["content_lost"]
    assert warnings_of(255) == []


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "AVIF"])
def test_each_frame_of_a_moving_picture_is_a_page(kind: str) -> None:
    frames = [Image.new("RGB", (60, 40), colour) for colour in ((200, 0, 0), (0, 200, 0), (0, 0, 200))]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    with closing(open_document(data, "picture")) as reader:
        pages = list(reader.pages())
        assert [int(pixels(page)[20, 30].argmax()) for page in pages] == [2, 1, 0]


@pytest.mark.parametrize("inverted", [False, True])
def test_the_paper_of_a_cmyk_picture_is_white_however_its_inks_are_written(inverted: bool) -> None:
    inks = UPRIGHT.convert("CMYK")
    data = encoded(ImageChops.invert(inks) if inverted else inks, "JPEG")
    shown = pixels(only_page(data))
    assert shown[39, 59].min() > 240 and int(shown[2, 2, 2]) - int(shown[2, 2, 0]) > 100


@pytest.mark.parametrize("end", [60, 200, 400])
def test_a_picture_of_a_telephone_cut_short_is_damaged(end: int) -> None:
    with pytest.raises(CorruptDocumentError):
        pixels(only_page(HEIC[:end]))
