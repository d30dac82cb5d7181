"""The first chapter: what a hurried reader takes away, each line from a table further down."""

from bandpass.report.blocks import Section, Verdict, Verdicts
from bandpass.report.slots import shares_of
from bandpass.report.tables import Run, rows
from bandpass.report.training import warned

UNKNOWN, CLEAN = "unknown", "clean"  # the classes that windows of no known regime or fault get
CLEARLY = 0.1  # relative difference of shares below which nothing is claimed


def glance_section(run: Run, *evaluated: Verdict | None) -> Section:
    """Gather what the page found: evaluation, collapse, rare regimes, corrupt windows."""
    verdicts = [verdict for verdict in evaluated if verdict]
    if rows(run.metrics):
        count, total = int(warned(run.metrics).sum()), rows(run.metrics)
        label = "Collapse? " + ("Warnings were raised" if count else "No warning")
        sentence = f"{count} of {total} logged steps carry a collapse warning"
        last = (
            f", the last at step {run.metrics['step'][warned(run.metrics)][-1]:,}" if count else ""
        )
        verdicts.append(Verdict("no" if count else "yes", label, f"{sentence}{last}."))
    if rows(run.slots):
        verdicts += filter(None, (_rare(run), _corrupt(run)))
    return Section("glance", "At a glance", "", [Verdicts(verdicts)] if verdicts else [])


def _rare(run: Run) -> Verdict | None:
    shares = shares_of(run.slots, "regime")
    known = [i for i, name in enumerate(shares.names) if name != UNKNOWN] if shares else []
    if shares is None or len(known) < 2:
        return None
    natural, drawn = shares.natural[known[1:]].sum(), shares.final[known[1:]].sum()
    sentence = (
        f"The regimes rarer than “{shares.names[known[0]]}” took {drawn:.1%} of the slots; they "
        f"are {natural:.1%} of the training windows."
    )
    if abs(drawn - natural) <= CLEARLY * natural:
        return Verdict("open", "Rare regimes? Drawn about as often as they occur", sentence)
    more = drawn > natural
    label = "Rare regimes? Drawn " + ("more" if more else "less") + " often than they occur"
    return Verdict("yes" if more else "no", label, sentence)


def _corrupt(run: Run) -> Verdict | None:
    shares = shares_of(run.slots, "corrupt")
    faulty = [i for i, name in enumerate(shares.names) if name != CLEAN] if shares else []
    if shares is None or not faulty:
        return None
    natural, drawn = shares.natural[faulty].sum(), shares.final[faulty].sum()
    sentence = (
        f"Windows with known faults took {drawn:.1%} of the slots; they are {natural:.1%} of the "
        "training windows."
    )
    if drawn > (1 + CLEARLY) * natural:
        return Verdict("no", "Corrupt windows? Drawn more often than they occur", sentence)
    return Verdict("yes", "Corrupt windows? Kept in check", sentence)
