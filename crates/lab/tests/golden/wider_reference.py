"""Makes wider.json: generated boxes with their WIDER FACE average precision, for the tests of `detection`.

This is not the published evaluation: it is our own typing of the algorithm of the published Python evaluation of WIDER
FACE (Yang et al., "WIDER FACE: A Face Detection Benchmark", CVPR 2016), independent of the Rust code: here everything is
a set operation over whole arrays and nothing runs through the detections one by one. It was compared with a second
typing of that evaluation, made by somebody else in its own loops, which gave the same on these boxes to 1e-16. Needs
numpy only.

    python3 wider_reference.py > wider.json
"""

import json

import numpy as np

THRESHOLDS = 1.0 - np.arange(1, 1001) / 1000
SUBSETS = ("easy", "medium", "hard")


def overlaps(detections, faces):
    """Intersection over union, detections by faces; corners at x + w, extents one pixel longer."""
    low = np.maximum(detections[:, None, :2], faces[None, :, :2])
    high = np.minimum(
        detections[:, None, :2] + detections[:, None, 2:4], faces[None, :, :2] + faces[None, :, 2:4]
    )
    shared = np.clip(high - low + 1, 0, None).prod(axis=2)
    area = lambda boxes: (boxes[:, 2:4] + 1).prod(axis=1)
    return shared / (area(detections)[:, None] + area(faces)[None, :] - shared)


def evaluate(images, subset):
    scores = np.concatenate([np.array(image["detections"]).reshape(-1, 5)[:, 4] for image in images])
    low, high = scores.min(), scores.max()
    proposals = np.zeros(1000, dtype=int)
    found = np.zeros(1000, dtype=int)
    total = 0
    for image in images:
        faces = np.array(image["faces"], dtype=float).reshape(-1, 4)
        detections = np.array(image["detections"], dtype=float).reshape(-1, 5)
        counts = np.zeros(len(faces), dtype=bool)
        counts[np.array(image[subset], dtype=int) - 1] = True
        total += counts.sum()
        if not len(faces) or not len(detections):
            continue
        matrix = overlaps(detections, faces)
        best = matrix.argmax(axis=1)
        is_face = matrix.max(axis=1) >= 0.5
        is_ignored = is_face & ~counts[best]
        is_right = is_face & counts[best]
        taken = ((detections[:, 4] - low) / (high - low))[None, :] >= THRESHOLDS[:, None]
        proposals += (taken & ~is_ignored).sum(axis=1)
        # A face is found when any taken detection belongs to it, however many do.
        belongs = is_right[:, None] & (best[:, None] == np.arange(len(faces)))
        found += (taken.astype(int) @ belongs.astype(int) > 0).sum(axis=1)
    precision = found / np.maximum(proposals, 1)
    recall = found / total
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return {
        "faces": int(total),
        "average_precision": float(np.dot(np.diff(recall, prepend=0.0), envelope)),
        "precision": [float(value) for value in precision[49::50]],
        "recall": [float(value) for value in recall[49::50]],
    }


def generate(seed, count, whole, score):
    """Pictures with faces of all sizes, detections near them, false ones, repeated ones, and faces that are ignored."""
    random = np.random.default_rng(seed)
    digits = 0 if whole else 2
    rounded = lambda values: [float(value) for value in np.round(values, digits)]
    images = []
    for index in range(count):
        faces, detections = [], []
        for _ in range(random.choice([0, 1, 2, 4, 7, 10])):
            side = np.exp(random.uniform(np.log(4), np.log(90)))
            faces.append(rounded([*random.uniform(0, 250, 2), side, side * random.uniform(1, 1.4)]))
        for face in faces:
            for _ in range(random.choice([0, 1, 1, 1, 2])):
                spread = random.choice([0.05, 0.15, 0.25]) * face[2]
                box = np.array(face) + random.normal(0, spread, 4)
                box[2:] = np.maximum(box[2:], 1)
                detections.append([*rounded(box), score(random, True)])
        for _ in range(random.poisson(1.5)):
            side = random.uniform(3, 60)
            detections.append([*rounded([*random.uniform(0, 250, 2), side, side]), score(random, False)])
        # Some detections are exactly a face, and some faces lie on another, so that equal overlaps occur.
        if len(faces) > 2:
            detections.append([*faces[0], score(random, True)])
            faces.append(list(faces[1]))
        random.shuffle(detections)
        size = np.array([face[3] for face in faces])
        image = {"file": f"{index % 3}--event/{index}.jpg", "faces": faces, "detections": detections}
        for name, least in zip(SUBSETS, (40, 20, 6)):
            image[name] = [int(number) + 1 for number in np.flatnonzero(size >= least)] if len(faces) else []
        images.append(image)
    return images


def main():
    close = lambda random, right: round(float(random.beta(5, 2) if right else random.beta(2, 4)), 3)
    tied = lambda random, right: round(float(random.uniform(0.3, 1) if right else random.uniform(0, 0.8)), 1)
    raw = lambda random, right: round(float(random.normal(6 if right else 1, 3)), 4)
    sets = [("fractions", 1, 24, False, close), ("whole pixels, equal scores", 2, 24, True, tied), ("raw scores", 3, 24, False, raw)]
    written = []
    for name, seed, count, whole, score in sets:
        images = generate(seed, count, whole, score)
        expected = {subset: evaluate(images, subset) for subset in SUBSETS}
        written.append({"name": name, "seed": seed, "images": images, "expected": expected})
    about = (
        "Generated boxes [x, y, w, h] and detections [x, y, w, h, score] in pixels; easy, medium, hard: numbers of the "
        "faces that count, from 1. Expected values by wider_reference.py (numpy " + np.__version__ + "), precision and "
        "recall at every 50th of the 1000 thresholds."
    )
    print(json.dumps({"about": about, "sets": written}, separators=(",", ":")))


main()
