"""RecTools 0.19: `SASRecModel` and `BERT4RecModel` with the softmax over all items."""

from __future__ import annotations

import logging
import time
import warnings

import numpy as np
import pandas as pd
import pytorch_lightning as lightning
import torch
from rectools import Columns
from rectools.dataset import Dataset
from rectools.metrics import NDCG, HitRate, calc_metrics
from rectools.models import BERT4RecModel, SASRecModel
from torch import Tensor

from . import common


def table(sequences: list[np.ndarray]) -> pd.DataFrame:
    """Sequences as the table of interactions that the framework reads; users are numbered from 0."""
    lengths = [len(s) for s in sequences]
    return pd.DataFrame({
        Columns.User: np.repeat(np.arange(len(sequences)), lengths),
        Columns.Item: np.concatenate(sequences),
        Columns.Weight: 1.0,
        Columns.Datetime: pd.to_datetime(np.concatenate([np.arange(n) for n in lengths]), unit="D"),
    })  # fmt: skip


class RecTools(common.Peer):
    """The framework numbers the items that occur in training anew; others get no score."""

    package, loss, own_name = "rectools", "full softmax cross-entropy", "recommend(k=10) and calc_metrics"

    def __init__(self, settings: common.RunSettings, data: common.Data):
        s = self.settings = settings
        if s.model not in ("sasrec", "bert4rec"):
            raise ValueError(f"RecTools has no {s.model}")
        self.data = data
        self.kind = dict(
            n_blocks=s.layers, n_heads=s.heads, n_factors=s.width, dropout_rate=s.dropout, session_max_len=s.max_len,
            loss="softmax", lr=s.learning_rate, batch_size=s.batch_size, recommend_batch_size=256, verbose=0,
        )  # fmt: skip
        self.dataset = Dataset.construct(table(data.train))
        # Users with a single training item are dropped by the framework.
        self.rows_per_epoch = sum(len(s) > 1 for s in data.train)

    def train(self, clock: common.Clock, watch: common.Watch) -> None:
        peer = self

        class Tell(lightning.Callback):
            def on_train_batch_start(self, *_: object) -> None:
                clock.start()

            def on_train_batch_end(self, trainer, module, outputs, batch, index) -> None:
                trainer.should_stop |= clock.step(len(batch["x"]), int((batch["y"] != 0).sum()))

            def on_train_epoch_end(self, trainer, module) -> None:
                peer.adopt()
                trainer.should_stop |= watch.epoch(peer)

        def trainer() -> lightning.Trainer:
            return lightning.Trainer(
                max_epochs=100_000, min_epochs=0, accelerator="cpu", devices=1, callbacks=[Tell()], logger=False,
                enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
            )  # fmt: skip

        if self.settings.model == "sasrec":
            self.model = SASRecModel(**self.kind, get_trainer_func=trainer)
        else:
            hidden = self.settings.mask_probability
            self.model = BERT4RecModel(**self.kind, mask_prob=hidden, get_trainer_func=trainer)
        self.model.fit(self.dataset)
        self.adopt()

    def adopt(self) -> None:
        """The model exists only once training has begun: take over its numbering of the items."""
        self.module = self.model.lightning_model
        preparator = self.model.data_preparator
        self.first = preparator.n_item_extra_tokens
        known = preparator.get_known_item_ids().astype(np.int64)
        self.internal = np.zeros(self.data.n_items + 1, np.int64)
        self.internal[known] = preparator.item_id_map.convert_to_internal(known)
        self.columns = np.where(self.internal > 0, self.internal - self.first, -1)
        if self.settings.model == "bert4rec":
            self.mask = preparator.item_id_map.convert_to_internal(["MASK"])[0]

    def prepare_scoring(self) -> None:
        with torch.no_grad():
            self.vectors = self.module.torch_model.item_model.get_all_embeddings()

    def score(self, histories: list[np.ndarray]) -> Tensor:
        rows = [self.internal[history] for history in histories]
        rows = [row[row > 0] for row in rows]
        if self.settings.model == "bert4rec":
            rows = [np.append(row, self.mask) for row in rows]
        items = torch.from_numpy(common.pad_left(rows, self.settings.max_len))
        hidden = self.module.torch_model.encode_sessions({"x": items}, self.vectors)[:, -1]
        return hidden @ self.vectors[self.first :].T

    def own_evaluation(self, users: int) -> tuple[float, dict[str, float]]:
        histories, targets = self.data.cases("test", users)
        known, numbers = Dataset.construct(table(histories)), np.arange(users)
        truth = pd.DataFrame({Columns.User: numbers, Columns.Item: targets})
        began = time.perf_counter()
        recommended = self.model.recommend(numbers, known, k=10, filter_viewed=False)
        found = calc_metrics({"hr@10": HitRate(10), "ndcg@10": NDCG(10)}, recommended, truth)
        return time.perf_counter() - began, {name: float(value) for name, value in found.items()}


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    common.main(RecTools)
