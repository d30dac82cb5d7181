"""Made-up results of an ablation, for the tests of its page; read by ``runpy``."""

from types import SimpleNamespace as Plain

import numpy as np

from bandpass.evaluation.comparison import NonInferiority
from bandpass.report.ablation import Comparison, Told

# Rare gain, normal gain, corrupt share, rare share of the slots, cost of a step.
ARMS = {
    "uniform": (0.0, 0.0, 0.05, 0.04, 1.0),
    "band": (0.05, -0.004, 0.02, 0.09, 1.23),
    "oracle": (0.09, 0.0, 0.0, 0.25, 1.0),
    "uniform-again": (0.0, 0.0, 0.05, 0.04, 1.0),
    "shuffled": (0.01, 0.0, 0.051, 0.041, 1.23),
    "rs2": (0.004, -0.002, 0.05, 0.04, 1.0),
    "hard-only": (0.03, -0.06, 0.21, 0.12, 1.31),
    "static-density": (0.012, -0.001, 0.09, 0.06, 1.02),
    "regularised-by-bucket": (0.048, -0.003, 0.021, 0.09, 1.29),
    "no-gate": (0.045, -0.01, 0.11, 0.1, 1.2),
    "no-floor": (0.047, -0.03, 0.024, 0.12, 1.23),
    "uniform-slow": (-0.02, -0.012, 0.05, 0.04, 1.0),
}
OTHERS = (("health", "rankme", 40.0), ("surprise, corrupt", "auroc", 0.7))
SEEDS = tuple(range(100, 108))


def benchmark(name: str = "skab", **changes: object) -> Plain:
    """A declared benchmark."""
    fields = {
        "name": name,
        "version": 1,
        "title": f"Valves of {name}: closed in one window of twenty-five",
        "modality": "series",
        "rare": Plain(task="few-shot rare", metric="average_precision"),
        "normal": Plain(task="next-state readout, normal", metric="r2"),
        "corrupt": Plain(task="slots", metric="corrupt"),
        "margin": 0.02,
        "screen": (0, 1, 2),
        "seeds": SEEDS,
    }
    return Plain(**(fields | changes))


def rows(name: str = "skab", arms: tuple[str, ...] = tuple(ARMS), seeds=SEEDS) -> list[dict]:
    """A results table: arms that cost as much as uniform count for both budgets at once."""
    found = []
    for arm in arms:
        *figures, cost = ARMS[arm]
        full = ["flops+time"] if cost == 1.0 else ["flops", "time"]
        for budgets in (*full, *(["half"] if arm in ("uniform", "band") else [])):
            for seed in seeds:
                of_arm = len(name) + 7 * list(ARMS).index(arm) + 1000 * len(budgets)
                luck = np.random.default_rng([seed, of_arm]).normal(size=6)
                start = np.random.default_rng(seed).normal(size=2)
                half = 0.04 if budgets == "half" else 0.0
                steps = round((400 if half else 800) / cost) - 2 * (budgets == "time")
                shared = {
                    "benchmark": name,
                    "version": 1,
                    "arm": arm,
                    "recipe": f"{of_arm:012x}",
                    "budgets": budgets,
                    "seed": seed,
                    "steps": steps,
                    "flops": 1e9 * steps * cost,
                    "reference_seconds": 0.05 * steps * cost,
                    "wall_seconds": 0.06 * steps * cost,
                }
                values = {
                    ("few-shot rare", "average_precision"): 0.41
                    + figures[0]
                    - half
                    + 0.02 * start[0]
                    + 0.012 * luck[0],
                    ("next-state readout, normal", "r2"): 0.72
                    + figures[1]
                    - half / 4
                    + 0.008 * start[1]
                    + 0.004 * luck[1],
                    ("slots", "corrupt"): figures[2] * (1 + 0.03 * luck[2]),
                    ("slots", "rare"): figures[3] * (1 + 0.03 * luck[3]),
                    ("slots", "normal"): 1 - figures[2] - figures[3],
                } | {(task, metric): value + luck[4] / 50 for task, metric, value in OTHERS}
                found += [
                    shared | {"task": task, "metric": metric, "value": float(value)}
                    for (task, metric), value in values.items()
                ]
    return found


def told(table: list[dict], declared: Plain, *, can_judge: bool = True) -> Told:
    """A verdict with comparisons that follow from the table, by a normal approximation."""
    compared = []
    names = {row["arm"] for row in table if row["benchmark"] == declared.name}
    for budget in ("flops", "time"):
        for arm in [arm for arm in ARMS if arm in names]:
            for against in ("uniform", "shuffled") if arm == "band" else ("uniform",):
                if arm != against and against in names:
                    compared += [
                        _compare(table, declared, (arm, against), budget, role)
                        for role in ("rare", "normal", "corrupt")
                    ]
    said = (
        f"{declared.name}: the oracle beats uniform, so it can judge. The band is better in rare "
        "states by 0.05 and hurt nothing."
    )
    return Told([said], ["flops", "time"] if can_judge else [], compared)


def _compare(
    table: list[dict], declared: Plain, pair: tuple[str, str], budget: str, role: str
) -> Comparison:
    metric = getattr(declared, role)
    values = [
        {
            row["seed"]: row["value"]
            for row in table
            if row["benchmark"] == declared.name
            and (row["arm"], row["task"], row["metric"]) == (arm, metric.task, metric.metric)
            and budget in row["budgets"].split("+")
            and np.isfinite(row["value"])
        }
        for arm in pair
    ]
    both = sorted(set(values[0]) & set(values[1]))
    a, b = (np.array([each[seed] for seed in both]) for each in values)
    n, d = len(both), a - b
    error = d.std(ddof=1) / n**0.5 if n > 1 else np.nan
    mean = d.mean() if n else np.nan
    p = float(np.exp(-((mean / error) ** 2) / 2)) if n > 1 and error > 0 else np.nan
    kept = retention(mean, mean - 1.9 * error, declared.margin)
    return Comparison(
        *pair,
        budget=budget,
        role=role,
        mean=float(a.mean()) if n else np.nan,
        other=float(b.mean()) if n else np.nan,
        difference=float(mean),
        low=float(mean - 2.36 * error),
        high=float(mean + 2.36 * error),
        p=p,
        p_holm=float(np.minimum(1.0, 3 * p)),
        mde=float(3.2 * error) if n > 1 else np.inf,
        n=n,
        asked=n,
        retention=kept if role == "normal" else None,
    )


def retention(mean: float, bound: float, margin: float) -> NonInferiority:
    """Whether so much is within a margin."""
    return NonInferiority(float(mean), float(bound), margin, bool(bound > -margin), 8)


def prices(arms: tuple[str, ...] = tuple(ARMS)) -> dict[str, Plain]:
    """What every arm costs; arms that rank by surprise score the corpus before they begin."""
    return {
        arm: Plain(
            flops=1e9 * ARMS[arm][4],
            seconds=0.05 * (1 + 1.4 * (ARMS[arm][4] - 1)),
            start_flops=4e10 if ARMS[arm][4] > 1.1 else 0.0,
            start_seconds=1.5 if ARMS[arm][4] > 1.1 else 0.0,
        )
        for arm in arms
    }
