"""A folder of one's own data: what is kept, dropped and counted, and what is said about a bad folder."""

from __future__ import annotations

import random

import pytest

from dmesr_core.data.csv_files import read_table
from dmesr_core.data.folder import load_folder
from dmesr_core.data.pictures import open_picture
from dmesr_core.errors import DataError, SettingsError

ITEMS = "id,title,text\n0,Red cup,A cup.\nb,Tasse bleue,Für Tee ☕\nc,كوب أخضر,\n"
LOG = "user,item,time\nu,b,2024-05-02\nu,0,2024-05-01\nv,c,2024-05-01T10:00:00\n"


def test_folder(write_folder):
    folder = write_folder({"items.csv": ITEMS, "interactions.csv": LOG}, ("pictures/0.jpg", "pictures/c.png"))
    catalogue, interactions = load_folder(folder)
    assert catalogue.ids == ("0", "b", "c") and catalogue.titles[2] == "كوب أخضر"
    assert catalogue.report["no_picture"] == 1 and catalogue.report["empty_text"] == 1
    assert open_picture(catalogue.pictures[0]).size == (6, 9)
    assert interactions.item.tolist() == [1, 2, 3] and interactions.user_ids == ("u", "v")
    assert interactions.n_items == len(catalogue)


def test_folder_keeps_items_that_nobody_took_unless_asked(write_folder):
    folder = write_folder({"items.csv": ITEMS, "interactions.csv": "user,item,time\nu,c,1\nv,c,1\nu,b,2\n"})
    assert len(load_folder(folder)[0]) == 3
    catalogue, interactions = load_folder(folder, k_core=1)
    assert catalogue.ids == ("b", "c") and interactions.item.tolist() == [2, 1, 2]


def test_folder_without_pictures(write_folder):
    catalogue, _ = load_folder(write_folder({"items.csv": ITEMS, "interactions.csv": LOG}))
    assert catalogue.report["no_picture"] == 3


def test_folder_unknown_items(write_folder):
    folder = write_folder({"items.csv": ITEMS, "interactions.csv": LOG + "v,b,1999\n"})
    with pytest.raises(DataError, match="row 4: the time"):  # a number among dates
        load_folder(folder)
    (folder / "interactions.csv").write_text(LOG + "v,d,2024-05-03\n")
    with pytest.raises(DataError, match=r"interactions\.csv: 1 of 4 events .* row 4 \('d'\)"):
        load_folder(folder)
    assert load_folder(folder, on_unknown="drop")[1].report["unknown_items_dropped"] == 1


@pytest.mark.parametrize(
    ("lacking", "message"),
    [("items.csv", r"items\.csv: there is no"), ("interactions.csv", r"interactions\.csv: ther")],
)
def test_folder_lacks_a_file(write_folder, lacking, message):
    folder = write_folder(
        {name: text for name, text in (("items.csv", ITEMS), ("interactions.csv", LOG)) if name != lacking}
    )
    with pytest.raises(DataError, match=message):
        load_folder(folder)


def test_no_such_folder(tmp_path):
    with pytest.raises(DataError, match=r"nowhere: there is no such folder; it should hold items\.csv"):
        load_folder(tmp_path / "nowhere")


def test_a_core_below_zero_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="k_core must be a whole number, at least 0, got -1"):
        load_folder(tmp_path, k_core=-1)


# --- any damage ---

TOKENS = (
    '"', ",", "\n", "\r", "\0", "\ufeff", ";", "\t", "|", '""', '",', "\n\n", " ", "é", "\x1a", "\u2028", "x" * 200_000,
    "9" * 30, "nan", "-", ".", "1e999", "\\", "'", "2024-01-01", "\n,,,\n", "\x85", "\x0c", "\u200b",
)  # fmt: skip


@pytest.mark.parametrize("start", range(0, 300, 100))
def test_damaged_tables_are_read_or_refused_with_the_name_of_the_file(write_folder, start):
    """Anything may stand anywhere: no other error, no warning, and no event is lost without being counted."""
    items = "id,title,text,picture\n" + "".join(f'i{k},"Cup, {k}","a ""b""\nc",\n' for k in range(6))
    log = "user,item,time\n" + "".join(f"u{k % 3},i{k % 6},{1_700_000_000 + k}\n" for k in range(12))
    read = 0
    for seed in range(start, start + 100):
        rng = random.Random(seed)

        def damaged(text: str, rng: random.Random = rng) -> str:
            for _ in range(rng.randint(0, 2)):
                place = rng.randrange(len(text) + 1)
                text = text[:place] + rng.choice(TOKENS) + text[place + rng.choice((0, 0, 1, 4)) :]
            return text

        folder = write_folder({"items.csv": damaged(items), "interactions.csv": damaged(log)})
        try:
            catalogue, events = load_folder(folder, on_unknown="drop")
        except DataError as error:
            assert str(folder) in str(error) and len(str(error)) < 800
        else:
            table = read_table(folder / "interactions.csv", ("user", "item", "time"))
            assert len(events) + events.report["unknown_items_dropped"] == len(table)
            assert len(catalogue) == len(read_table(folder / "items.csv", ("id", "title", "text")))
            read += 1
    assert 10 < read < 90
