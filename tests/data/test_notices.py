"""What was dropped, cut, tied or unmatched is said when data are loaded: once for each kind, with the first example."""

from __future__ import annotations

import subprocess
import sys

from dmesr_core.data.datasets import load_dataset

ITEMS = "id,title,text\na,Red cup,\nb,Blue cup,\n"
LOG = "user,item,time\nu,a,1\nu,b,2\nv,a,1\n"
LINES = "1 1 2 3\n2 3 1\n"


def test_each_loss_is_said_once_with_its_first_example(write_folder, caplog):
    """Counts in are counts kept and counts reported."""
    long = "x" * 30_000
    items = f"id,title,text\na,{long},{long}\nb,B,null\0\nc,C,{long}\nd,D,\n"
    rows = [("u", "a", 1), ("u", "b", 1), ("u", "a", 2), ("v", "a", 1), ("v", "b", 1), ("v", "z", 3), ("w", "c", 1)]
    log = "user,item,time\n" + "".join(f"{user},{item},{time}\n" for user, item, time in [*rows, ("w", "y", 1)])
    folder = write_folder({"items.csv": items, "interactions.csv": log}, ("pictures/a.png", "pictures/B.png"))
    data = load_dataset(folder, on_unknown="drop", k_core=2)
    assert [message.removeprefix(f"{folder}/") for message in caplog.messages] == [
        "items.csv: 1 title cut to 20,000 characters (first: item 'a')",
        "items.csv: 2 texts cut to 20,000 characters (first: item 'a')",
        "items.csv: null bytes dropped from 1 text",
        "pictures: 1 of 2 files match no item ('B.png'); 3 of 4 items have no picture file ('b', 'c', 'd'). "
        "Likely: upper and lower case differ ('b' and 'B')",
        "interactions.csv: 2 of 8 events dropped: their item is not in the catalogue (first: row 6, 'z')",
        "interactions.csv: 2 events have the same time as the user's event before: file order decides",
        "2-core: dropped 2 of 4 items, 1 of 3 users, 1 of 6 events",
    ]
    report = data.interactions.report
    assert len(data.interactions) + report["unknown_items_dropped"] + report["k_core_events_dropped"] == len(rows) + 1
    assert {record.levelname for record in caplog.records} == {"WARNING"}
    assert {record.name.split(".")[0] for record in caplog.records} == {"dmesr_core"}


def test_each_loss_of_movielens_is_said_once(write_folder, caplog):
    films = "movieId,title,genres,abstract\n1,T,Drama,x\n2,T,Drama,\n3,T,Drama,x\n"
    ratings = (
        "userId,movieId,rating,timestamp\n1,1,5,1\n1,2,1,2\n1,2,5,3\n2,1,1,4\n2,1,4,5\n2,9,4,5\n3,1,4,5\n3,1,4,5\n"
    )
    folder = write_folder({"ratings.csv": ratings, "movies.csv": films}, ("posters/1.jpg", "posters/2.jpg"))
    data = load_dataset("movielens", folder, min_rating=3, k_core=2)
    assert [message.removeprefix(f"{folder}/") for message in caplog.messages] == [
        "posters: 1 of 3 items have no picture file ('3')",
        "movies.csv: 2 of 3 films dropped: no abstract or no poster (first: '2'); "
        "to go without: load_dataset(..., keep_bare=True)",
        "ratings.csv: 2 of 8 ratings dropped: below 3",
        "ratings.csv: 2 of 8 events dropped: their item is not in the catalogue (first: row 3, '2')",
        "ratings.csv: 1 event has the same time as the user's event before: file order decides; "
        "1 repeats user, item and time of another: doubled rows make scores look better",
        "2-core: dropped 0 of 1 items, 2 of 3 users, 2 of 4 events",
    ]
    report = data.interactions.report
    lost = [report[key] for key in ("unknown_items_dropped", "ratings_below_minimum", "k_core_events_dropped")]
    assert len(data.interactions) + sum(lost) == 8


def test_nothing_is_said_where_nothing_is_lost(write_folder, caplog):
    files = {"items.csv": ITEMS, "interactions.csv": LOG, "log.txt": LINES}
    folder = write_folder(files, ("pictures/a.png", "pictures/b.png"))
    load_dataset(folder)
    load_dataset(folder / "log.txt")
    assert not caplog.messages


def test_what_is_said_can_be_silenced_and_is_no_warning_of_python(write_folder):
    """Shown on stderr by default."""
    folder = write_folder({"items.csv": ITEMS})
    code = f"""
import logging
from dmesr_core.data.catalogue import read_catalogue
read_catalogue({str(folder)!r})
logging.getLogger("dmesr_core").setLevel("ERROR")
read_catalogue({str(folder)!r})
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == f"{folder}/pictures: there is no such folder, so no item has a picture\n"
