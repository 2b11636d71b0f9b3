"""RePlay 0.22: SASRec of its new interface (`replay.nn`), BERT4Rec of the old one, which is where it still lives."""

from __future__ import annotations

import logging
import time
import warnings

import lightning
import numpy as np
import torch
import torch.nn.functional as F
from replay.data import FeatureHint, FeatureSource, FeatureType
from replay.data.nn import TensorFeatureInfo, TensorFeatureSource, TensorSchema
from replay.models.nn.optimizer_utils import FatOptimizerFactory
from replay.models.nn.sequential import Bert4Rec
from replay.models.nn.sequential.bert4rec import Bert4RecUniformMasker
from replay.nn.lightning import LightningModule
from replay.nn.lightning.callback import ComputeMetricsCallback
from replay.nn.lightning.optimizer import OptimizerFactory
from replay.nn.sequential import SasRec
from torch import Tensor
from torch.utils.data import DataLoader

from . import common

QUIET = dict(logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False)


class RePlay(common.Peer):
    """Items are 0..N-1 here."""

    package, loss = "replay-rec", "full softmax cross-entropy"

    def __init__(self, settings: common.RunSettings, data: common.Data):
        s = self.settings = settings
        if s.model not in ("sasrec", "bert4rec"):
            raise ValueError(f"RePlay has no {s.model}")
        # The embedding table of the old interface has no row for padding: there it is some item, and masked.
        self.data, self.padding = data, data.n_items if s.model == "sasrec" else 0
        self.columns = np.arange(-1, data.n_items)
        schema = TensorSchema([TensorFeatureInfo(
            "item_id", FeatureType.CATEGORICAL, is_seq=True, cardinality=data.n_items, padding_value=self.padding,
            embedding_dim=s.width, feature_hint=FeatureHint.ITEM_ID,
            feature_sources=[TensorFeatureSource(FeatureSource.INTERACTIONS, "item_id")],
        )])  # fmt: skip
        if s.model == "sasrec":
            network = SasRec.from_params(schema, s.width, s.heads, s.layers, s.max_len, s.dropout)
            self.module = LightningModule(network, OptimizerFactory(learning_rate=s.learning_rate))
            self.own_name = "lightning.Trainer.validate with ComputeMetricsCallback"
        else:
            self.masker = Bert4RecUniformMasker(s.mask_probability)
            self.module = Bert4Rec(
                schema, s.layers, s.heads, s.width, s.max_len, s.dropout, enable_embedding_tying=True,
                optimizer_factory=FatOptimizerFactory(learning_rate=s.learning_rate),
            )  # fmt: skip
        self.rows_per_epoch = len(data.sequences)

    def train(self, clock: common.Clock, watch: common.Watch) -> None:
        s, peer = self.settings, self

        class Tell(lightning.Callback):
            def on_train_batch_start(self, *_: object) -> None:
                clock.start()

            def on_train_batch_end(self, trainer, module, outputs, batch, index) -> None:
                trainer.should_stop |= clock.step(len(batch["positive_labels"]), peer.count_targets(batch))

            def on_train_epoch_end(self, trainer, module) -> None:
                trainer.should_stop |= watch.epoch(peer)

        extra = 1 if s.model == "sasrec" else 0  # inputs and targets are shifted by one
        items = torch.from_numpy(common.pad_left(self.data.train, s.max_len + extra))
        collate = self.next_items if s.model == "sasrec" else self.hidden_items
        loader = DataLoader(items, s.batch_size, shuffle=True, collate_fn=collate)
        trainer = lightning.Trainer(max_epochs=100_000, min_epochs=0, accelerator="cpu", callbacks=[Tell()], **QUIET)
        trainer.fit(self.module, loader)

    def renumber(self, items: Tensor) -> Tensor:
        return torch.where(items == 0, self.padding, items - 1)

    def next_items(self, rows: list[Tensor]) -> dict:
        items = torch.stack(rows)
        inputs, targets = items[:, :-1], items[:, 1:]
        return {
            "feature_tensors": {"item_id": self.renumber(inputs)},
            "padding_mask": inputs > 0,
            "positive_labels": self.renumber(targets)[..., None],
            "target_padding_mask": (targets > 0)[..., None],
        }

    def hidden_items(self, rows: list[Tensor]) -> dict:
        items = torch.stack(rows)
        real, items = items > 0, self.renumber(items)
        kept = torch.stack([self.masker.mask(row) for row in real])
        return {"inputs": {"item_id": items}, "pad_mask": real, "token_mask": kept, "positive_labels": items}

    def count_targets(self, batch: dict) -> int:
        if self.settings.model == "sasrec":
            return int(batch["target_padding_mask"].sum())
        return int((batch["pad_mask"] & ~batch["token_mask"]).sum())

    def score(self, histories: list[np.ndarray]) -> Tensor:
        length = self.settings.max_len
        if self.settings.model == "sasrec":
            items = torch.from_numpy(common.pad_left(histories, length))
            return self.module.model({"item_id": self.renumber(items)}, items > 0)["logits"]
        # The last place is for the hidden item. The framework's `predict` would make room for it by itself, but
        # shifts rows in place of positions when it is given a batch.
        items = F.pad(torch.from_numpy(common.pad_left(histories, length - 1)), (0, 1))
        real = items > 0
        shown = real.clone()
        real[:, -1] = True
        return self.module({"item_id": self.renumber(items)}, real, shown)

    def own_evaluation(self, users: int) -> tuple[float, dict[str, float]] | None:
        if self.settings.model != "sasrec":
            return None
        histories, targets = self.data.cases("test", users)
        items = torch.from_numpy(common.pad_left(histories, self.settings.max_len))
        rows = list(zip(items, torch.from_numpy(targets - 1), strict=True))

        def collate(batch: list[tuple[Tensor, Tensor]]) -> dict:
            inputs, wanted = (torch.stack(part) for part in zip(*batch, strict=True))
            features = {"item_id": self.renumber(inputs)}
            return {"feature_tensors": features, "padding_mask": inputs > 0, "ground_truth": wanted[:, None]}

        judge = ComputeMetricsCallback(["recall", "ndcg"], [10], item_count=self.data.n_items, verbose=False)
        trainer = lightning.Trainer(accelerator="cpu", callbacks=[judge], **QUIET)
        began = time.perf_counter()
        found = trainer.validate(self.module, DataLoader(rows, 256, collate_fn=collate), verbose=False)[0]
        return time.perf_counter() - began, {name: float(value) for name, value in found.items()}


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    common.main(RePlay)
