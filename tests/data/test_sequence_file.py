"""A log of one user per line: what is read, and what is said about a file that is not of this form."""

import numpy as np
import pytest

from dmesr_core.data.sequence_file import load_sequence_file
from dmesr_core.errors import DataError


def test_a_line_is_the_history_of_a_user(tmp_path):
    (tmp_path / "Beauty.txt").write_text("7 3 1 2\n\n9 2 3 3 1\n")
    log = load_sequence_file(tmp_path / "Beauty.txt")
    assert (log.n_users, log.n_items) == (2, 3)
    assert [h.tolist() for h in log.histories()] == [[3, 1, 2], [2, 3, 3, 1]]
    assert np.array_equal(log.leave_one_out().test.targets, [2, 1])


@pytest.mark.parametrize("text", ["\ufeff7 3 1\n9 2\n", "7 3 1\r9 2\r", "7\t3  1\r\n\r\n 9 2 ", f"7 3 1\n{'9' * 40} 2"])
def test_marks_and_line_ends_of_other_systems(tmp_path, text, caplog):
    (tmp_path / "log.txt").write_bytes(text.encode())
    assert [h.tolist() for h in load_sequence_file(tmp_path / "log.txt").histories()] == [[3, 1], [2]]
    assert not caplog.messages  # no ties: there are no times


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 2 3\n2 4 x\n", "Beauty.txt, line 2: .*'x'; wanted one user per line"),
        ("1 2 3\n\n2 4.5\n", "Beauty.txt, line 3: .*'4.5'"),
        ("1 2 3\n2 0 1\n", "Beauty.txt, line 2: item 0; items are numbered from 1"),
        ("1 2 3\n2 -1 1\n", "Beauty.txt, line 2: item -1"),
        ("1 2 3\n2\n", "Beauty.txt, line 2: user 2 has no items"),
        ("5 2 3\n6 1\n5 4\n", "Beauty.txt, line 3: user 5 is in line 1 already"),
        ("1 2 3\n2 4 99999999999\n", "Beauty.txt, line 2: item 99999999999; items are numbered from 1 without gaps"),
        (f"1 2 3\n2 {'9' * 40}\n", "Beauty.txt, line 2: item 9{30}; items are numbered from 1"),
        ("1,2,3\n", "Beauty.txt, line 1: .*'1,2,3'; wanted .* separated by spaces"),
        ("1 2 3\n\ufeff2 4\n", "Beauty.txt, line 2: "),
        ("1 2\0 3\n", "Beauty.txt, line 1: "),
        ("", "Beauty.txt: no user is in it; wanted one user per line"),
        (b"1 2 3\n\xff\xfe 1\n", "Beauty.txt, line 2: .*wanted one user per line"),
    ],
)
def test_a_line_of_another_form_is_named(tmp_path, text, message):
    (tmp_path / "Beauty.txt").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DataError, match=message):
        load_sequence_file(tmp_path / "Beauty.txt")


def test_a_file_that_is_missing_is_named(tmp_path):
    with pytest.raises(DataError, match="Beauty.txt: there is no such file; wanted one user per line"):
        load_sequence_file(tmp_path / "Beauty.txt")
