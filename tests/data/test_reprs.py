"""Data sets and their parts are shown in one line, and as small tables in notebooks."""

from __future__ import annotations

from IPython.core.formatters import HTMLFormatter

from dmesr_core.data.datasets import load_dataset

ITEMS = "id,title,text\na,Red cup,\nb,Blue cup,\n"
LOG = "user,item,time\nu,a,1\nu,b,2\nv,a,1\n"
LINES = "1 1 2 3\n2 3 1\n"
as_html = HTMLFormatter()  # as a notebook shows an object


def test_everything_has_a_short_repr(write_folder, monkeypatch, tmp_path, caplog):
    monkeypatch.setenv("DMESR_CACHE", str(tmp_path / "cache"))
    nasty = "<script>alert('&')</script>" * 50
    rows = "".join(f'{nasty}{k},{nasty},"{nasty}"\n' for k in range(3))
    log = "user,item,time\n" + "".join(f"{nasty}{user},{nasty}{item},{item}\n" for user in "uv" for item in range(3))
    folder = write_folder({"shop/items.csv": f"id,title,text\n{rows}", "shop/interactions.csv": log, "log.txt": LINES})
    bazaar = load_dataset("bazaar", profile="smoke")
    assert not caplog.messages  # nothing is lost there
    for data in (bazaar, load_dataset(folder / "shop"), load_dataset(folder / "log.txt")):
        split = data.interactions.leave_one_out()
        names = data.interactions.item_names
        parts = [data, data.catalogue, data.world, data.interactions, split, split.train, split.test, names]
        parts += [split.test.histories, data.interactions.histories(), data.world and data.world.process]
        parts += [] if data.catalogue is None else [data.catalogue.item(1)]
        assert all(len(repr(part)) < 300 for part in parts), [repr(part)[:300] for part in parts]
        for part in (data, data.catalogue, data.interactions, split):
            if part is not None:
                html = as_html(part)
                assert "<table>" in html and len(html) < 5_000 and "<script>" not in html
    assert "Interactions: 5 events of 2 users with 3 items" in as_html(data)  # without a catalogue


def test_the_html_of_a_catalogue_shows_its_first_items(write_folder):
    data = load_dataset(write_folder({"items.csv": ITEMS + "c,C & D,Text\nd,D,\n", "interactions.csv": LOG}))
    html = as_html(data)
    assert "<tr><td>c</td><td>C &amp; D</td><td>Text</td></tr></table>" in html  # the third is the last that is shown
    assert "Catalogue: 4 items, 4 without picture, 3 without text" in html and "Dataset &#x27;folder&#x27;" in html
    assert "<td>u</td><td>a</td><td>Red cup</td><td>1</td>" in as_html(data.interactions)
