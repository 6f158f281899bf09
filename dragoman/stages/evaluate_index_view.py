"""Shows what an index is worth: what each way of searching finds, what is answered, what is refused."""

from collections.abc import Mapping
from typing import Any

from dragoman.core.show import Show, figure, many

__all__ = ["show_index"]

WAYS = {"bm25": "words alone (BM25)", "vectors": "vectors alone", "hybrid": "both (hybrid)", "again": "ranked again"}


def show_index(record: Mapping[str, Any], show: Show) -> None:
    """Tables for people, and the one JSON object."""
    generated = ", generated" if record["generated"] else ""
    asked = many(int(record["asked"]), "question") + generated
    if record["retrieval"]:
        names = list(next(iter(record["retrieval"].values())))
        rows = [(WAYS[way], *(figure(found[name]) for name in names)) for way, found in record["retrieval"].items()]
        show.table(f"what is found: {asked}", ("", *names), rows)
    if record["refusal"]:
        value = record["threshold"]["value"]
        rows = [
            (kind, f"{found['n']:,}", figure(found["refused"]), figure(found["auroc"]) if "auroc" in found else "")
            for kind, found in record["refusal"].items()
        ]
        columns = ("questions", "number", f"refused below {value:.3f}", "told apart from answerable (AUROC)")
        show.table(f"what is refused by the search{generated}", columns, rows)
    show.card(f"{record['index']} on {record['questions']}", _card(record, asked))
    show.result(record)


def _card(record: Mapping[str, Any], asked: str) -> list[tuple[str, str]]:
    rows = [("questions", asked)]
    rows += [("", record["origin"])] if record["origin"] else []
    if learnt := record.get("learnt"):
        rows.append(("learnt from", f"{learnt:,} of them taught what ranks again: measure it on others"))
    if record["absent"]:
        told = f"{many(len(record['absent']), 'relevant source')} not in the index: {record['absent'][0]}"
        rows.append(("not found", f"{told}; what they hold counts as not found"))
    for one in record["comparisons"]:
        gap = one["difference"]
        said = f"{gap['value']:+.3f} [{gap['low']:+.3f}, {gap['high']:+.3f}]"
        proven = "better" if gap["low"] > 0 else "worse" if gap["high"] < 0 else "no difference is proven"
        rows.append((f"{one['b']} - {one['a']}, {one['metric']}", f"{said}: {proven}"))
    rows += [(name.replace("_", " "), figure(value)) for name, value in record["answers"].items()]
    threshold = record["threshold"]
    rows.append(("threshold", f"{threshold['value']:.3f}, {threshold['origin']}"))
    if calibrated := record.get("calibrated"):
        rows.append(("false refusals", figure(calibrated["false_refusals"])))
        rows += [(f"answered: {kind}", figure(found)) for kind, found in calibrated["by_kind"].items()]
        rows.append(("", "rates of questions that the threshold was not chosen on; it is kept in the index"))
    asks = "" if record["index"] == "index.sqlite" else f" index={record['index']}"
    then = [("run", record["run"])]
    if "calibrated" not in record:
        then.append(("then", f"dragoman evaluate {record['index']} {record['questions']} calibrate=true"))
    else:
        then.append(("then", f'dragoman ask "..."{asks}'))
    return [*rows, *then]
