"""Ours beside published numbers: who stands where, in both directions."""

from __future__ import annotations

from helpers.speed_rows import record

from dmesr_core.book.narration.speed import published

BEST = {m: max(theirs.scores["beauty"][m] for theirs in published.ESASREC) for m in (0, 1)}


def rows(hr, ndcg, data="beauty", seed=0):
    one = record("id_wide", 0.1, seed, data=data)
    one.metrics["full"].update({"hr@10": hr, "ndcg@10": ndcg})
    return one


def test_a_line_per_model_theirs_first():
    lines = published.beside_published([rows(0.1, 0.05), rows(0.2, 0.07, seed=1)])
    assert [line["of"] for line in lines] == ["Tikhonovich et al."] * len(published.ESASREC) + ["this book"]
    assert lines[0]["NDCG@10, Beauty"] == "0.0531" and lines[0]["HR@10, Toys"] == "0.0970"
    assert lines[-1] == {
        "model": "ID only, nothing twice, wide", "of": "this book", "HR@10, Beauty": "0.1500",
        "NDCG@10, Beauty": "0.0600", "HR@10, Toys": "", "NDCG@10, Toys": "",
    }  # fmt: skip


def test_the_standing_follows_both_metrics():
    more, less = {m: best + 0.01 for m, best in BEST.items()}, {m: best - 0.01 for m, best in BEST.items()}
    said = published.standing([rows(more[0], more[1])])
    assert said == f"on Beauty ahead of all of them (HR@10 {more[0]:.4f} against {BEST[0]:.4f}, NDCG@10 " \
                   f"{more[1]:.4f} against {BEST[1]:.4f})"  # fmt: skip
    assert published.standing([rows(less[0], less[1])]).startswith("on Beauty behind the best of them (")
    assert published.standing([rows(more[0], less[1])]).startswith(
        "on Beauty ahead of all of them by one measure, and not by the other ("
    )
    assert "; on Toys" in published.standing([rows(0.1, 0.1), rows(0.1, 0.1, data="toys")])
    assert published.standing([]) == "not measured yet"
