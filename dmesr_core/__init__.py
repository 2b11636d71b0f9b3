"""DMESR: a dual-view, multimodal-LLM-based enhancing framework for sequential recommendation.

The usual order:

1. `data = load_dataset(...)`: a catalogue and a log; `split = data.interactions.leave_one_out()`.
2. `features = extract_features(data.catalogue)`: what an MLLM and a text encoder say about each item.
3. `model = DMESR.build(features, split)`, `fit(model, split)`, `evaluate(model, split)`; `compare` puts models, such as
   an `IDRecommender` or `popularity(split)`, side by side.
4. `model.save(folder)`, and in another process `Recommender.load(folder)`.
5. `model.recommend(histories)`: ids in, ids, titles and scores out; `model.add_items(catalogue, features)` lets items
   take part that came after training.

`recommend` speaks of ids; splits, features and `top_k` number the items 1..N in the order of the catalogue, and 0 is
padding. `catalogue.item(k)` is the item with a number, `catalogue.numbers(ids)` gives the numbers of ids.

`help(TrainSettings)` says what each setting means, and each name has an example; appendix C of the book shows all.
The names are imported when they are first used, so `import dmesr_core` is fast and loads no library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

EXPORTS = {  # name -> module below this package
    "load_dataset": "data.datasets",
    "read_catalogue": "data.catalogue",
    "Catalogue": "data.catalogue",
    "Interactions": "data.interactions",
    "Split": "data.sequences",
    "MLLM": "features.mllm",
    "TextEncoder": "features.text_encoder",
    "Features": "features.item_features",
    "extract_features": "features.extract",
    "DMESR": "models.dmesr",
    "DMESRSettings": "models.dmesr_settings",
    "Backbone": "models.backbones",
    "BackboneSettings": "models.backbones",
    "register_backbone": "models.backbones",
    "Recommender": "models.recommender",
    "IDRecommender": "models.id_recommender",
    "TrainSettings": "training.settings",
    "Callback": "training.callbacks",
    "EMA": "training.callbacks",
    "TimeLimit": "training.callbacks",
    "fit": "training.fit",
    "EvalSettings": "evaluation.ranking",
    "evaluate": "evaluation.metrics",
    "popularity": "models.scorers",
    "top_k": "evaluation.ranking",
    "compare": "evaluation.results",
    "DataError": "errors",
    "SettingsError": "errors",
}

__all__ = [
    "DMESR", "EMA", "MLLM", "Backbone", "BackboneSettings", "Callback", "Catalogue", "DMESRSettings", "DataError",
    "EvalSettings", "Features", "IDRecommender", "Interactions", "Recommender", "SettingsError", "Split", "TextEncoder",
    "TimeLimit", "TrainSettings", "__version__", "compare", "evaluate", "extract_features", "fit", "load_dataset",
    "popularity", "read_catalogue", "register_backbone", "top_k",
]  # fmt: skip

if TYPE_CHECKING:
    from dmesr_core.data.catalogue import Catalogue, read_catalogue
    from dmesr_core.data.datasets import load_dataset
    from dmesr_core.data.interactions import Interactions
    from dmesr_core.data.sequences import Split
    from dmesr_core.errors import DataError, SettingsError
    from dmesr_core.evaluation.metrics import evaluate
    from dmesr_core.evaluation.ranking import EvalSettings, top_k
    from dmesr_core.evaluation.results import compare
    from dmesr_core.features.extract import extract_features
    from dmesr_core.features.item_features import Features
    from dmesr_core.features.mllm import MLLM
    from dmesr_core.features.text_encoder import TextEncoder
    from dmesr_core.models.backbones import Backbone, BackboneSettings, register_backbone
    from dmesr_core.models.dmesr import DMESR
    from dmesr_core.models.dmesr_settings import DMESRSettings
    from dmesr_core.models.id_recommender import IDRecommender
    from dmesr_core.models.recommender import Recommender
    from dmesr_core.models.scorers import popularity
    from dmesr_core.training.callbacks import EMA, Callback, TimeLimit
    from dmesr_core.training.fit import fit
    from dmesr_core.training.settings import TrainSettings


def __getattr__(name: str) -> Any:
    if name not in EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{EXPORTS[name]}"), name)
    globals()[name] = value  # the next access does not come here
    return value


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
