"""The comparison of chapter 6 on other random worlds of the Bazaar. Prints one JSON line per world.

    python benchmarks/bench_worlds.py --worlds 1 2 3 [--seeds 2] [--profile cpu]

Each world has its own products, tastes and shoppers; the settings are the book's. A line has NDCG@10 of popularity, ID
only, DMESR, fact oracle and ceiling, with 95% intervals, and the paired gain of DMESR over ID only.
"""

import argparse
import json
import time

from dmesr_core import files
from dmesr_core.book import chapter
from dmesr_core.evaluation import bootstrap, groups, metrics, scorers
from dmesr_core.experiments import sweep
from dmesr_core.experiments.material import Material
from dmesr_core.training.settings import TrainSettings

MODELS = ("id_only", "dmesr", "fact_oracle")


def measure(world_seed: int, n_seeds: int, profile: str) -> dict:
    """All baselines and models on the world with this seed."""
    began = time.perf_counter()
    this = chapter.start("bench_worlds", profile=profile, seed=world_seed)
    dataset, features = this.dataset(), this.features()
    world, split = dataset.world, dataset.interactions.leave_one_out()
    material = Material(split, features, world.fact_vectors())
    train = TrainSettings(epochs=this.profile.max_epochs)
    store = files.cache_dir() / "experiments"
    results, _ = sweep.compare_variants(MODELS, material, range(n_seeds), None, train, store)
    popularity = scorers.popularity(split)
    results["popularity"] = metrics.evaluate_cases(popularity, split.test, split.n_items, name="popularity")
    results["ceiling"] = metrics.evaluate_cases(world.ceiling(split.test), split.test, split.n_items, name="ceiling")
    per_case = {name: result.per_case["ndcg@10"] for name, result in results.items()}
    ends = per_case["popularity"], per_case["ceiling"]
    rare = groups.case_groups(split, split.test)["tail+cold"]
    return {
        "world": world_seed,
        "seeds": n_seeds,
        "ndcg@10": {n: [results[n].mean()["ndcg@10"], *results[n].interval()["ndcg@10"]] for n in results},
        "gain_over_id": list(bootstrap.paired_bootstrap(per_case["dmesr"], per_case["id_only"])),
        "gap_to_ceiling": list(bootstrap.paired_bootstrap(per_case["ceiling"], per_case["dmesr"])),
        "road": {n: bootstrap.normalised_gain_interval(per_case[n], *ends)[0] for n in MODELS},
        "tail_and_cold": {n: results[n].where(rare, "tail+cold").mean()["ndcg@10"] for n in MODELS},
        "seconds": round(time.perf_counter() - began, 1),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--profile", default="cpu")
    arguments = parser.parse_args()
    for seed in arguments.worlds:
        print(json.dumps(measure(seed, arguments.seeds, arguments.profile)), flush=True)
