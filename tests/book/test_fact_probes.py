"""Probes of all facts: what is in the vectors is found, guesses are counted fairly, lines and groups are complete."""

from __future__ import annotations

import numpy as np
import pytest

from dmesr_core.book import fact_probes
from dmesr_core.book.fact_probes import WRITTEN, FactProbe, FactReadings
from dmesr_core.data.bazaar.facts import FACTS, sample_facts
from dmesr_core.data.bazaar.world import make_world

N = 400
UNUSED = {"size", "shape"}


@pytest.fixture(scope="module")
def codes() -> dict[str, np.ndarray]:
    return sample_facts(N, np.random.default_rng(0)).codes


@pytest.fixture(scope="module")
def probe(codes) -> FactProbe:
    counts = np.r_[0, np.where(np.arange(N) % 5 == 0, 0, 3)]  # every fifth item is cold
    return FactProbe.make(codes, counts)


def one_hot(code: np.ndarray) -> np.ndarray:
    return np.eye(code.max() + 1)[code]


@pytest.fixture(scope="module")
def readings(codes, probe) -> FactReadings:
    rng = np.random.default_rng(1)
    vectors = {
        "sees": np.c_[one_hot(codes["colour"]), one_hot(codes["pattern"])],
        "blind": rng.normal(size=(N, 8)),
    }
    lines = fact_probes.fact_lines(np.arange(N) % 4 == 0, UNUSED)
    return FactReadings.read(probe, lines, vectors)


def test_items_are_those_with_and_without_events_in_training(probe):
    assert len(probe.trained) + len(probe.cold) == N
    assert (probe.cold % 5 == 0).all() and (probe.trained % 5 > 0).all()


def test_a_part_of_a_large_catalogue_has_whole_series(codes):
    small = FactProbe.make(codes, np.ones(N + 1, int), at_most=100)
    assert 60 < len(small.trained) <= 100 and len(small.cold) == 0
    assert not set(codes["series"][small.trained]) & set(np.delete(codes["series"], small.trained))


def test_what_is_in_the_vectors_is_recovered_for_all_kinds_of_items(readings):
    for items in readings.panels.values():
        assert readings.share("sees", "pattern", items) > 0.95
        assert abs(readings.share("blind", "pattern", items)) < 0.3


def test_shapes_are_guessed_within_their_category(codes, probe):
    chance = probe.chance("shape", np.arange(N))
    assert 0.5 <= chance < 0.7
    nothing = probe.right(np.zeros((N, 2)), "shape")  # the probe is told the category, and no more
    assert abs(probe.recovered(nothing, "shape", probe.trained)) < 0.25
    told = probe.right(one_hot(codes["shape"] + 2 * codes["category"]), "shape")
    assert probe.recovered(told, "shape", probe.trained) > 0.95


def test_too_few_items_recover_nothing(probe):
    assert probe.recovered(np.ones(N, bool), "brand", np.array([3])) == 0


def test_words_alone_say_the_facts_of_words_and_little_of_pictures(probe):
    found = probe.from_words(("brand", "shape"))
    assert found["brand"] > 0.9 and found["shape"] < 0.5
    assert probe.n_values["shape"] == 24 and probe.n_values["size"] == 3


def test_lines_count_the_written_colour_apart_and_mark_what_nobody_goes_by(readings):
    assert list(readings.lines) == [
        "category", "colour, not written", "colour, written", "pattern", "shape °", "brand", "series", "material",
        "use", "size °",
    ]  # fmt: skip
    colours = [line.counted for line in readings.lines.values() if line.fact == "colour"]
    assert (colours[0] ^ colours[1]).all()
    groups = fact_probes.line_groups(readings.lines)
    assert list(groups.values()) == [
        ["colour, not written", "pattern", "shape °"],
        ["brand", "series", "material", "use", "size °"],
        ["category", "colour, written"],
    ]


def test_tables_hold_every_share_and_the_control_leaves_out_the_written_colour(readings):
    tables = readings.tables({"sees": "Sees", "blind": "Blind"})
    assert list(tables) == ["items with purchases", "cold items"]
    assert list(tables["cold items"]) == ["Sees", "Blind"]
    flat = [v for row in tables["items with purchases"].values() for line, v in row.items() if line != WRITTEN]
    assert readings.training_shares() == flat


def test_group_means_are_the_means_of_their_lines(readings):
    means = readings.group_means("sees")
    assert list(means) == ["only in the picture", "only in the words", "in both"]
    both = [readings.share("sees", line, readings.probe.trained) for line in ("category", WRITTEN)]
    assert means["in both"] == pytest.approx(np.mean(both))


def test_gains_show_who_sees(readings):
    gains = readings.gains("sees", ("blind",), n=200)
    assert gains["only in the picture"]["blind"].low > 0.2
    assert list(gains) == ["only in the picture", "only in the words", "in both"]
    back = readings.gains("blind", ("sees",), n=200)
    assert back["only in the picture"]["sees"].diff == pytest.approx(-gains["only in the picture"]["blind"].diff)


def test_an_item_is_scored_over_the_lines_that_count_for_it(readings):
    """In both: the category always, the colour only where it is written."""
    items = readings.probe.trained
    written = readings.lines[WRITTEN].counted[items]

    def accuracy(model: str) -> float:
        category, colour = (readings.right[model][fact][items] for fact in ("category", "colour"))
        return float(np.where(written, category * 0.5 + colour * 0.5, category).mean())

    gain = readings.gains("sees", ("blind",), n=20)["in both"]["blind"]
    assert gain.diff == pytest.approx(accuracy("sees") - accuracy("blind"))


def test_before_and_after_are_means_over_facts_to_two_decimals(readings):
    kept = readings.before_and_after("blind", "sees", UNUSED)
    probe, right = readings.probe, readings.right["sees"]
    wanted = np.mean([probe.recovered(right[f], f, probe.trained) for f in FACTS if f not in UNUSED])
    assert kept["go by"][1] == round(float(wanted), 2)
    assert kept["go by"][1] > kept["go by"][0]
    assert list(kept) == ["go by", "ignored"]


def test_the_bazaar_says_which_colours_are_written_and_which_facts_nobody_goes_by(tmp_path):
    world = make_world(24, 30, 0, tmp_path, progress=False)
    written = fact_probes.colour_is_written(world)
    for k in range(24):
        colour = world.facts.of(k)["colour"]
        assert written[k] == (
            colour in world.catalogue.words(k + 1).lower().replace(",", " ").replace(".", " ").split()
        )
    assert 0 < written.sum() < 24
    assert fact_probes.unused_facts(world) == {"shape", "size"}


def test_the_mean_of_each_group_is_its_last_line():
    tables = {"known": {"DMESR": {"colour": 0.25, "shape": 0.75, "series": 0.5}}}
    groups = {"only in the\npicture": ["colour", "shape"], "only in\nthe words": ["series"]}
    wider, named = fact_probes.with_means(tables, groups)
    assert named == {
        "only in the\npicture": ["colour", "shape", "mean, picture"],
        "only in\nthe words": ["series", "mean, words"],
    }
    assert wider["known"]["DMESR"] == tables["known"]["DMESR"] | {"mean, picture": 0.5, "mean, words": 0.5}
