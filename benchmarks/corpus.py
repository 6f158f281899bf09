"""Building a corpus against `datasets.map` with the same tokenizer on the same text: MB/s, and memory as text grows.

    python -m benchmarks.corpus [--sizes 100 300 1000] [--workers 2] [--seed PATH] [--json PATH] [--dry]

Ours cleans, filters, hints at languages, masks, takes out exact and near doubles among documents and paragraphs, splits
and tokenises into shards; `datasets.map(batched=True, num_proc=2)` tokenises alone, once by transformers' fast
tokenizer as most people do, once by the `tokenizers` library without offsets. Each runs in a fresh process on a JSON
Lines file of generated text: words drawn by Zipf's law from those of real text, so that documents are all different and
nothing collapses as a double, with one document in fifty copied and one in fifty copied with a few words changed, which
ours has to find. Memory is the greatest sum of what a process and its children hold themselves (pages of mapped
files, which the system can take back, are not counted), looked at ten times a second.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.side_by_side import ROOT, machine, replace_section

SEEDS = ("pretrain/wiki_demo.txt", "pretrain/wikitext2_sample.txt", "pretrain/imdb_unsup.txt")
OURS = """
import sys
from dragoman.cli import main
if __name__ == "__main__":
    path, vocabulary, out, workers = sys.argv[1:5]
    sys.exit(main(["corpus", path, f"tokenizer={vocabulary}", f"out={out}", f"workers={workers}", "--json"]))
"""
THEIRS = """
import sys
import datasets
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

path, vocabulary, out, workers, way = sys.argv[1:6]
if way == "transformers":
    fast = PreTrainedTokenizerFast.from_pretrained(vocabulary)
    cut = lambda rows: {"input_ids": fast(rows["text"])["input_ids"]}
else:
    rust = Tokenizer.from_file(vocabulary + "/tokenizer.json")
    cut = lambda rows: {"input_ids": [one.ids for one in rust.encode_batch_fast(rows["text"])]}
if __name__ == "__main__":
    rows = datasets.load_dataset("json", data_files=path, split="train", cache_dir=out + "/cache")
    done = rows.map(cut, batched=True, num_proc=int(workers), remove_columns=["text"])
    done.save_to_disk(out + "/saved")
"""


def main() -> None:
    """Write the text, then build each way at each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 300, 1000], help="MB of text")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=Path, default=ROOT.parent / "shared" / "data", help="a folder of real text")
    parser.add_argument("--folder", type=Path, default=None, help="where files go; a temporary folder otherwise")
    parser.add_argument("--ways", nargs="+", default=["dragoman", "transformers", "tokenizers"])
    parser.add_argument("--json", type=Path, default=None)
    parser.add_argument("--dry", action="store_true", help="print the section instead of writing it")
    given = parser.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="corpus-"))
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = make_vocabulary(given.seed, folder)
    rows = []
    for size in given.sizes:
        path = folder / f"text-{size}.jsonl"
        planted = write_text(given.seed, path, size * 10**6)
        for way in given.ways:
            row = {"way": way, "mb": size, **measure(way, path, vocabulary, folder / f"out-{way}", given.workers)}
            if way == "dragoman":
                row |= {"planted": planted, "found": found_doubles(folder / "out-dragoman")}
            rows.append(row)
            print(json.dumps(row), flush=True)
            shutil.rmtree(folder / f"out-{way}", ignore_errors=True)
        path.unlink()
    if given.json:
        given.json.write_text(json.dumps({"cores": os.cpu_count(), "rows": rows}, indent=1))
    if not given.folder:
        shutil.rmtree(folder)
    section = told(rows, given.workers)
    print(section)
    if not given.dry:
        replace_section(ROOT / "docs" / "performance.md", "Building a corpus", section)


def told(rows: Sequence[Mapping[str, Any]], workers: int) -> str:
    """The section of docs/performance.md: a row a way and size, and ours over each other way at the same size."""
    lines = ["| way | MB | MB/s | MB a CPU-second | peak memory, MiB | of planted doubles found |", "|---" * 6 + "|"]
    for row in rows:
        doubles = row["found"]["double_documents"] if "found" in row else {}
        found = f"{sum(doubles.values()):,} of {sum(row['planted'].values()):,}" if doubles else ""
        figures = f"{row['mb_per_second']:.2f} | {row['mb_per_cpu_second']:.2f} | {row['peak_mib']:,.0f}"
        lines.append(f"| {row['way']} | {row['mb']:,} | {figures} | {found} |")
    ours = {row["mb"]: row for row in rows if row["way"] == "dragoman"}
    for row in rows:
        if row["way"] != "dragoman" and row["mb"] in ours:
            times = ours[row["mb"]]["mb_per_second"] / row["mb_per_second"]
            lines.append(f"\n{row['mb']:,} MB: {times:.2f} times the speed of `datasets.map` with {row['way']}.")
    about = (
        "Documents of 100 to 1,000 words, each another, one in 50 doubled exactly and one in 50 nearly. Ours cleans, "
        "filters, masks, compares documents and paragraphs, splits and tokenises; `datasets.map` tokenises alone."
    )
    command = "Again: `python -m benchmarks.corpus`"
    versions = machine(("tokenizers", "datasets", "transformers", "rensa"), workers)
    return "\n".join([about, "", *lines, "", versions.replace("threads", "workers"), "", command])


def make_vocabulary(seed: Path, folder: Path) -> Path:
    """One tokenizer for all, trained on the real text."""
    out = folder / "vocabulary"
    if not (out / "tokenizer.json").is_file():
        command = [sys.executable, "-m", "dragoman", "vocab", str(seed / SEEDS[0]), f"out={out}", "size=8000"]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return out


def write_text(seed: Path, path: Path, size: int) -> dict[str, int]:
    """`size` bytes of documents; gives how many doubles were planted, exact and near."""
    words = Counter(word for name in SEEDS if (seed / name).is_file() for word in (seed / name).read_text().split())
    known = np.array([word for word, _ in words.most_common(50_000)])
    weights = np.array([count for _, count in words.most_common(50_000)], float)
    bounds = np.cumsum(weights / weights.sum())
    dice = np.random.default_rng(20251)
    planted, written, last = {"exact": 0, "near": 0}, 0, ""
    with path.open("w") as stream:
        while written < size:
            for _ in range(50):
                last = document(known, bounds, dice)
                written += put(stream, last)
            written += put(stream, last)
            changed = last.split(" ")
            for place in dice.integers(0, len(changed), max(1, len(changed) // 100)).tolist():
                changed[place] = "otherwise"
            last = document(known, bounds, dice)
            written += put(stream, last)
            changed = last.split(" ")
            for place in dice.integers(0, len(changed), max(1, len(changed) // 100)).tolist():
                changed[place] = "otherwise"
            written += put(stream, " ".join(changed))
            planted["exact"] += 1
            planted["near"] += 1
    return planted


def document(known: np.ndarray, bounds: np.ndarray, dice: np.random.Generator) -> str:
    """Some paragraphs of some sentences: 100 to 1,000 words."""
    count = int(dice.integers(100, 1000))
    drawn = known[np.minimum(np.searchsorted(bounds, dice.random(count)), len(known) - 1)].tolist()
    sentences = [" ".join(drawn[begin : begin + 15]) + "." for begin in range(0, count, 15)]
    return "\n\n".join(" ".join(sentences[begin : begin + 5]) for begin in range(0, len(sentences), 5))


def put(stream: Any, text: str) -> int:
    """Write one row; the bytes of its text."""
    stream.write(json.dumps({"text": text}, ensure_ascii=False) + "\n")
    return len(text.encode())


def found_doubles(out: Path) -> dict[str, Any]:
    """What our build says it took out."""
    facts = json.loads((out / "corpus.json").read_text())
    source = facts["sources"][0]
    return {name: source[name] for name in ("double_documents", "double_paragraphs", "dropped")}


def measure(way: str, path: Path, vocabulary: Path, out: Path, workers: int) -> dict[str, float]:
    """Seconds, MB/s and memory of one way in a fresh process."""
    shutil.rmtree(out, ignore_errors=True)
    script = path.parent / f"way_{way}.py"
    script.write_text(OURS if way == "dragoman" else THEIRS)
    command = [sys.executable, str(script), str(path), str(vocabulary), str(out), str(workers), way]
    size = sum(len(json.loads(line)["text"].encode()) for line in path.open())
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    begun, before = time.monotonic(), cpu()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    peak = Peak(process.pid)
    told, _ = process.communicate()
    seconds, busy = time.monotonic() - begun, cpu() - before
    if process.returncode:
        raise SystemExit(f"{way} failed:\n{told[-3000:]}")
    speeds = {"mb_per_second": round(size / 1e6 / seconds, 3), "mb_per_cpu_second": round(size / 1e6 / busy, 3)}
    return {"seconds": round(seconds, 2), **speeds, "peak_mib": peak.end()}


def cpu() -> float:
    """Processor seconds of all child processes that have ended: on a shared machine they tell more than a clock."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Peak:
    """The greatest memory of a process and all below it, looked at ten times a second."""

    def __init__(self, root: int) -> None:
        self.root, self.most, self.ended = root, 0, threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()

    def watch(self) -> None:
        """Add up the resident sets until the process has ended."""
        while not self.ended.wait(0.1):
            self.most = max(self.most, sum(anonymous(number) for number in family(self.root)))

    def end(self) -> int:
        """The peak in MiB."""
        self.ended.set()
        self.thread.join()
        return self.most >> 20


def family(root: int) -> list[int]:
    """A process and all that it started."""
    found = [root]
    for number in found:
        try:
            children = Path(f"/proc/{number}/task/{number}/children").read_text().split()
            tasks = Path(f"/proc/{number}/task").iterdir()
            more = [child for task in tasks for child in (task / "children").read_text().split()]
        except OSError:
            continue
        found += [int(child) for child in dict.fromkeys([*children, *more]) if int(child) not in found]
    return found


def anonymous(number: int) -> int:
    """The anonymous memory of a process in bytes: pages of mapped files are the system's to take back."""
    try:
        lines = Path(f"/proc/{number}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("RssAnon"))


if __name__ == "__main__":
    main()
