"""Makes verification.json: generated scores of pairs with LFW's accuracy and validation rate, for the tests of `verification`.

Written for this project from the published protocol (Huang et al., "Labeled Faces in the Wild", 2007) and what
davidsandberg/facenet computes for it, independently of the Rust code: every threshold is tried on every pair, nothing
is sorted. Pairs without a score are errors. Needs Python only.

    python3 verification_reference.py > verification.json
"""

import json
import math
import random

FOLDS = 10
GRID = [step * 0.01 for step in range(400)]
FINE = [step * 0.001 for step in range(4000)]


def spread(values):
    mean = math.fsum(values) / len(values)
    std = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values))
    return {"mean": mean, "std": std, "sem": std / math.sqrt(len(values))}


def right(pair, threshold):
    """A pair is the same strictly below the threshold; without a score no answer is right."""
    if pair["score"] is None:
        return False
    return (2.0 - 2.0 * pair["score"] < threshold) == pair["same"]


def accepted(pair, threshold):
    if pair["score"] is None:
        return not pair["same"]
    return 2.0 - 2.0 * pair["score"] < threshold


def share(pairs, same, threshold):
    of_kind = [pair for pair in pairs if pair["same"] == same]
    return sum(accepted(pair, threshold) for pair in of_kind) / len(of_kind)


def interpolated(rates, asked):
    """Where the staircase passes `asked`: from the end of one step on a straight line to the begin of the next."""
    if max(rates) < asked:
        return 0.0
    last = max(index for index, rate in enumerate(rates) if rate <= asked)
    if last + 1 == len(rates):
        return FINE[last]
    low, high = rates[last], rates[last + 1]
    return FINE[last] + (asked - low) / (high - low) * (FINE[last + 1] - FINE[last])


def evaluate(pairs, asked):
    folds = []
    for fold in range(FOLDS):
        own = [pair for pair in pairs if pair["fold"] == fold]
        others = [pair for pair in pairs if pair["fold"] != fold]
        counts = [sum(right(pair, threshold) for pair in others) for threshold in GRID]
        threshold = GRID[counts.index(max(counts))]
        val_threshold = interpolated([share(others, False, step) for step in FINE], asked)
        folds.append({
            "threshold": threshold,
            "accuracy": sum(right(pair, threshold) for pair in own) / len(own),
            "val_threshold": val_threshold,
            "val": share(own, True, val_threshold),
            "far": share(own, False, val_threshold),
        })
    over = {key: spread([fold[key] for fold in folds]) for key in ("accuracy", "val", "far")}
    return {"asked": asked, "folds": folds, **over}


def generate(seed):
    """Ten folds of unequal size. Cosines of two digits lie on the grid themselves, some faces are missed."""
    draw = random.Random(seed)
    pairs = []
    for fold in range(FOLDS):
        for same, middle in ((True, 0.62), (False, 0.3)):
            for _ in range(draw.randint(18, 24)):
                score = max(-1.0, min(1.0, draw.gauss(middle, 0.14)))
                score = round(score, draw.choice([2, 4]))
                pairs.append({"fold": fold, "same": same, "score": None if draw.random() < 0.01 else score})
    return pairs


def main():
    pairs = generate(1)
    expected = [evaluate(pairs, asked) for asked in (0.02, 0.1)]
    shown = [[pair["fold"], pair["same"], pair["score"]] for pair in pairs]
    about = (
        "Generated pairs [fold, same, cosine or null], with what LFW's protocol makes of them: accuracy on its grid of "
        "squared distances, validation rate at two false accept rates. By verification_reference.py."
    )
    lines = ",\n".join(json.dumps(row) for row in shown)
    print(f'{{"about": {json.dumps(about)},\n"pairs": [\n{lines}\n],\n"expected": {json.dumps(expected)}}}')


if __name__ == "__main__":
    main()
