"""Requests to an MLLM: equal items share one, and what cannot be a list of items is refused."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.tiny_models import load_on_cpu
from PIL import Image

from dmesr_core.errors import DataError, SettingsError
from dmesr_core.features.mllm_requests import make_requests
from dmesr_core.features.prompts import PICTURE_PROMPT


@pytest.fixture(scope="module")
def prompter(folders):
    return load_on_cpu(folders["llava"]).prompter


def test_equal_items_share_a_request_with_the_number_of_the_first(prompter, pictures):
    given = [pictures[0], None, str(pictures[0]), None, pictures[1]]
    made = make_requests(prompter, given, None, "Look", ["a", "b", "a", "b", "a"])
    assert [request.index for request in made] == [0, 1, 0, 1, 4]
    assert [request.message.text for request in made] == ["Look", "b", "Look", "b", "Look"]
    assert made[1].reasons == ["no picture"] and made[0].reasons == []


def test_a_request_without_its_picture_says_its_other_message(prompter, pictures):
    [request] = make_requests(prompter, pictures[:1], None, "Look", ["Read"])
    request.drop_picture("broken picture: it is blue")
    assert (request.picture, request.message.text) == (None, "Read")
    assert request.reasons == ["broken picture: it is blue"]


def test_the_area_is_that_of_the_scaled_picture(prompter, tmp_path):
    wide, broken = tmp_path / "wide.png", tmp_path / "broken.png"
    Image.new("RGB", (400, 100)).save(wide)
    broken.write_text("x")
    given = [wide, Image.new("RGB", (30, 20)), broken, Image.new("RGB", (0, 3))]
    made = make_requests(prompter, given, None, "Look", None)
    assert [request.area(200) for request in made] == [200 * 50, 600, 0, 0]
    assert made[0].open(200).size == (200, 50)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"texts": "red teapot"}, "texts must be a list with one entry per item, got one str"),
        ({"pictures": "a.png"}, "pictures must be a list"),
        ({"pictures": Image.new("RGB", (4, 4))}, "pictures must be a list"),
        ({"texts": ["a", None]}, "texts: entry 1 is of the type NoneType"),
        ({"pictures": [np.zeros((4, 4, 3))]}, "pictures: entry 0 is of the type ndarray"),
    ],
)
def test_other_input_than_lists_is_refused(folders, given, message):
    with pytest.raises((SettingsError, DataError), match=message):
        load_on_cpu(folders["llava"]).embed(**{"pictures": None, "texts": None, "prompt": "", **given})


def test_a_pillow_picture_that_cannot_be_read_is_a_broken_one(folders, pictures, tmp_path):
    half = tmp_path / "half.png"
    half.write_bytes(pictures[0].read_bytes()[:600])
    with Image.open(half) as lazy:
        got = load_on_cpu(folders["llava"]).embed([lazy, Image.new("RGB", (0, 5)), pictures[1]], None, PICTURE_PROMPT)
    assert [i for i, reason in got.issues if reason.startswith("broken picture")] == [0, 1]
