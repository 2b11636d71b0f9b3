"""The road from real files to a ranked list: MovieLens with posters, where the trial data is at hand."""

import torch

from dmesr_core.data.datasets import load_dataset
from dmesr_core.evaluation.bootstrap import paired_bootstrap
from dmesr_core.evaluation.metrics import evaluate
from dmesr_core.models.backbones import BackboneSettings
from dmesr_core.models.id_recommender import IDRecommender
from dmesr_core.models.recommender import known_items
from dmesr_core.models.scorers import popularity
from dmesr_core.training.fit import fit
from dmesr_core.training.settings import TrainSettings


def test_an_id_only_sasrec_beats_popularity_on_movielens(trial_data):
    dataset = load_dataset("movielens", trial_data / "movielens_posters")
    split = dataset.interactions.leave_one_out()
    torch.manual_seed(0)
    model = IDRecommender(BackboneSettings(), known_items(split))
    fit(model, split, TrainSettings(epochs=8, batch_size=32), progress=False)
    learned = evaluate(model, split)
    popular = evaluate(popularity(split), split)
    gain = paired_bootstrap(learned.per_case["ndcg@10"], popular.per_case["ndcg@10"])
    assert gain.low > 0
