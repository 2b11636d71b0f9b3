"""Why names that should be the same are not."""

from __future__ import annotations

import pytest

from dmesr_core.data.near_names import likely_reason


@pytest.mark.parametrize(
    ("names", "others", "reason"),
    [
        (["1", "2"], ["001", "002"], "ids have leading zeros, files have none ('1' and '001')"),
        (["001", "002"], ["1", "2"], "files have leading zeros, ids have none ('001' and '1')"),
        (["0"], ["000"], "ids have leading zeros, files have none ('0' and '000')"),
        (["B1"], ["b1"], "upper and lower case differ ('B1' and 'b1')"),
        (["caf\u00e9"], ["cafe\u0301"], "letters with accents are stored in two ways (Unicode NFC and NFD)"),
        (["a b"], ["a  b"], "spaces differ ('a b' and 'a  b')"),
        (["7.0"], ["7"], "files are written as decimal numbers, ids are not ('7.0' and '7')"),
        (["7"], ["7.0"], "ids are written as decimal numbers, files are not ('7' and '7.0')"),
        (["7.jpg"], ["7"], "files have an ending such as .jpg, ids have none ('7.jpg' and '7')"),
        (["x1", "1", "2"], ["X1", "01", "02"], "ids have leading zeros, files have none ('1' and '01')"),
        (["a", "b"], ["c"], ""),
        ([], ["c"], ""),
        (["", " "], ["c", "", "0"], ""),
    ],
)
def test_the_reason_of_most_names_with_an_example(names, others, reason):
    assert likely_reason(names, others, "files", "ids").startswith(reason)
    assert bool(reason) == bool(likely_reason(names, others, "files", "ids"))
