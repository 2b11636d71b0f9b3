"""RecBole 1.2.1: SASRec, GRU4Rec and BERT4Rec with full softmax cross-entropy.

It cuts each history into all its prefixes and trains on one target per prefix, so a "row" here is a prefix.
"""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path

import numpy as np
import torch

_load = torch.load


def _load_everything(*arguments, **named):
    return _load(*arguments, **{**named, "weights_only": False})


torch.load = _load_everything  # this release is older than `weights_only=True` as torch's default

from recbole.config import Config  # noqa: E402
from recbole.data import create_dataset, data_preparation  # noqa: E402
from recbole.data.dataloader import FullSortEvalDataLoader  # noqa: E402
from recbole.data.interaction import Interaction  # noqa: E402
from recbole.utils import get_model, get_trainer, init_seed  # noqa: E402
from torch import Tensor  # noqa: E402

from . import common  # noqa: E402

NAMES = {"sasrec": "SASRec", "gru4rec": "GRU4Rec", "bert4rec": "BERT4Rec"}


def write_interactions(data: common.Data, folder: Path) -> None:
    """The file that the framework reads: one line per event, times count up within a user."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["user_id:token\titem_id:token\ttimestamp:float"]
    for user, sequence in enumerate(data.sequences):
        lines += [f"{user}\t{item}\t{time}" for time, item in enumerate(sequence)]
    (folder / f"{folder.name}.inter").write_text("\n".join(lines) + "\n")


class RecBole(common.Peer):
    package, loss, own_name = "recbole", "full softmax cross-entropy, one target per row", "Trainer.evaluate"

    def __init__(self, settings: common.RunSettings, data: common.Data):
        s, name = settings, NAMES[settings.model]
        self.settings = settings
        folder = Path.cwd() / Path(s.path).stem
        write_interactions(data, folder)
        sys.argv = sys.argv[:1]  # the framework reads the command line, too
        self.config = Config(model=name, dataset=folder.name, config_dict=dict(
            data_path=str(folder.parent), load_col={"inter": ["user_id", "item_id", "timestamp"]}, use_gpu=False,
            MAX_ITEM_LIST_LENGTH=s.max_len, train_batch_size=s.batch_size, eval_batch_size=256, seed=s.seed,
            train_neg_sample_args=None, learning_rate=s.learning_rate, n_layers=s.layers, n_heads=s.heads,
            hidden_size=s.width * 2 if name == "GRU4Rec" else s.width, embedding_size=s.width, num_layers=1,
            inner_size=s.width * 4, hidden_dropout_prob=s.dropout, attn_dropout_prob=s.dropout,
            dropout_prob=s.dropout, mask_ratio=s.mask_probability, loss_type="CE", enable_amp=False, worker=0,
            show_progress=False, state="ERROR", metrics=["Hit", "NDCG"], topk=[10], valid_metric="NDCG@10",
            eval_args={"split": {"LS": "valid_and_test"}, "order": "TO", "mode": "full", "group_by": "user"},
        ))  # fmt: skip
        init_seed(s.seed, True)
        self.dataset = create_dataset(self.config)
        self.loader, _, self.test = data_preparation(self.config, self.dataset)
        self.module = get_model(name)(self.config, self.loader.dataset)
        self.trainer = get_trainer(self.config["MODEL_TYPE"], name)(self.config, self.module)
        self.rows_per_epoch = len(self.loader.dataset)
        numbers = self.dataset.field2token_id["item_id"]
        self.internal = np.array([numbers.get(str(item), 0) for item in range(data.n_items + 1)])
        self.columns = self.internal - 1

    def train(self, clock: common.Clock, watch: common.Watch) -> None:
        """The framework's loop over batches, epoch by epoch; it has no hook, so the optimizer and the loss tell."""
        optimizer_step, loss, size = self.trainer.optimizer.step, self.module.calculate_loss, [0, 0]

        def counted_loss(batch: Interaction):
            clock.start()
            hidden = batch["MASK_INDEX"] if self.settings.model == "bert4rec" else None
            size[:] = len(batch), len(batch) if hidden is None else int((hidden > 0).sum())
            return loss(batch)

        def told_step(*arguments, **named):
            result = optimizer_step(*arguments, **named)
            if clock.step(*size):
                raise common.TimeUp
            return result

        self.trainer.optimizer.step, epoch = told_step, 0
        try:
            while True:
                self.trainer._train_epoch(self.loader, epoch, loss_func=counted_loss)
                epoch += 1
                if watch.epoch(self):
                    return
        except common.TimeUp:
            pass

    def score(self, histories: list[np.ndarray]) -> Tensor:
        length = self.settings.max_len
        items, lengths = np.zeros((len(histories), length), np.int64), []
        for row, history in zip(items, histories, strict=True):
            tail = history[-length:]
            row[: len(tail)] = self.internal[tail]  # this framework pads on the right
            lengths.append(len(tail))
        batch = Interaction({"item_id_list": torch.from_numpy(items), "item_length": torch.tensor(lengths)})
        return self.module.full_sort_predict(batch)[:, 1:]

    def own_evaluation(self, users: int) -> tuple[float, dict[str, float]]:
        dataset = self.test._dataset
        loader = FullSortEvalDataLoader(self.config, dataset.copy(dataset.inter_feat[:users]), self.test._sampler)
        began = time.perf_counter()
        found = self.trainer.evaluate(loader, load_best_model=False)
        return time.perf_counter() - began, {name: float(value) for name, value in found.items()}


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    common.main(RecBole)
