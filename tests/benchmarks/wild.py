"""Accuracy on pictures of any origin, and on damaged MNIST images, read as the Draw page reads them.

    python tests/benchmarks/wild.py FOLDER [--networks FILE...] [--json FILE] [--list]
    python tests/benchmarks/wild.py --corruptions [--networks FILE...] [--json FILE]

The pictures may lie in folders of FOLDER. What each of them shows is, in this order,

- what ``labels.csv`` or ``labels.txt`` beside it says: on each line a file's name and its label, after a comma or a tab
- the number that its folder is named by: ``7/photo.png``
- the number that its name begins with: ``7_0031.png``, ``23308-a.jpg``
- in English: ``seven_underlined.png``, ``number_23308_pencil.jpg``.

A name of digits alone is no label if it begins with a zero, as ``00012.png`` does, or if the names in its folder count up.

A label is a digit, a number, several numbers with a space between (one for each line of writing), or ``none`` for a picture
that shows no digit; folders and names may say ``none``, too. Without ``--networks`` both shipped networks are measured.

A picture is *right* if the most likely digits are those of its label, line by line; *sure and wrong* if they are not, and
the network is sure of each of them; *not sure* if there is any digit that it is not sure of, or if no ink was seen. A
picture without a digit is right if the network is not sure. Single digits that are sure and wrong are counted as well: those
that are left when the digits have been matched with the label (``difflib.SequenceMatcher``).

``--corruptions`` measures on MNIST's test images, damaged by a generator of seed 0 (values are in [0, 1]):

- noise: Gaussian noise with a standard deviation of 0.2 is added, and the result is clipped; as 28 x 28 pixels
- impulses: 8 % of the pixels become 0 or 1, each with the same probability; as 28 x 28 pixels
- impulses, prepared: the same images, as bytes, through ``engine.prepare``
- blurred, prepared: the first 1,500 images, blurred by a Gaussian of radius 1.2 pixels (Pillow), through ``engine.prepare``
- thinned, prepared: the first 1,500 images, enlarged ten times (bicubic); of the line is kept what lies deeper than 65 %
  of its usual depth (the 90th percentile of the distances to the edge); through ``engine.prepare``
- dotted, prepared: the same enlarged images; round dots of 9 pixels radius, at least 18 pixels apart, along the middle of
  the lines; through ``engine.prepare``.
"""

import argparse
import csv
import difflib
import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

sys.path.insert(0, str(Path(__file__).parents[2]))

import engine
from engine.calibration import threshold
from engine.data import load_data
from engine.pen import CANVAS, draw_dots
from engine.reading import read

SHIPPED = [Path(__file__).parents[2] / "pretrained" / name for name in ("mlp.npz", "cnn.npz")]
SUFFIXES = {".avif", ".bmp", ".gif", ".heic", ".jpeg", ".jpg", ".jp2", ".png", ".ppm", ".tif", ".tiff", ".webp"}
NONE = "none"  # the label of a picture without a digit
WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
DIGITS = r"\d{1,40}(?: \d{1,40})*"
BY_NAME = re.compile(rf"({'|'.join([*WORDS, NONE])}|(?:number[_-])?\d{{1,40}})(?![a-z\d])", re.IGNORECASE)

COUNTER = re.compile(r"0\d+")
MIN_COUNTED = 3  # pictures: fewer names do not count up by chance alone
NUM_SLOW = 1_500  # images that are blurred, thinned or dotted
NOISE, IMPULSES, BLUR = 0.2, 0.08, 1.2
ENLARGED = CANVAS // 28
MIN_DEPTH, USUAL_DEPTH_PERCENTILE = 0.65, 90
DOT_RADIUS, DOT_SPACING = 9, 18  # pixels of the enlarged image


@dataclass
class Result:
    """What a network reads in one picture: its digits, with a space between two lines, and whether it is sure of each."""

    label: str
    digits: str
    sure: list[bool]

    @property
    def is_sure(self) -> bool:
        return bool(self.sure) and all(self.sure)

    @property
    def is_right(self) -> bool:
        return not self.is_sure if self.label == NONE else self.digits == self.label

    @property
    def is_wrong(self) -> bool:
        """Whether it is sure and wrong."""
        return self.is_sure and not self.is_right

    @property
    def num_wrong(self) -> int:
        """How many single digits are sure and wrong."""
        digits, label = self.digits.replace(" ", ""), self.label.replace(" ", "")
        matcher = difflib.SequenceMatcher(None, digits, label, autojunk=False)
        matched = {block.a + i for block in matcher.get_matching_blocks() for i in range(block.size)}
        return sum(sure and place not in matched for place, sure in enumerate(self.sure))


def label_of_name(name: str) -> str | None:
    """The label that the beginning of a file's or folder's name says, if any."""
    match = BY_NAME.match(name)
    if match is None or COUNTER.fullmatch(Path(name).stem):
        return None
    text = re.sub(r"^number[_-]", "", match[1].lower())
    return str(WORDS.index(text)) if text in WORDS else text


def labels_of_file(folder: Path) -> dict[str, str]:
    """The labels of the pictures in a folder, by name, that its ``labels.csv`` or ``labels.txt`` says."""
    labels = {}
    for path in (folder / "labels.csv", folder / "labels.txt"):
        if path.is_file():
            text = path.read_text(encoding="utf-8-sig", errors="replace")
            for row in csv.reader(text.replace("\t", ",").splitlines()):
                if len(row) >= 2 and re.fullmatch(rf"{NONE}|{DIGITS}", row[1].strip().lower()):
                    labels[row[0].strip()] = row[1].strip().lower()
    return labels


def count_up(paths: list[Path]) -> bool:
    """Whether the files seem to be numbered: all their names are digits alone, with few numbers between that are missing."""
    if len(paths) < MIN_COUNTED or not all(re.fullmatch(r"[0-9]{1,40}", path.stem) for path in paths):
        return False
    numbers = [int(path.stem) for path in paths]
    return max(numbers) - min(numbers) < 2 * len(numbers)


def labelled_pictures(root: Path) -> Iterator[tuple[Path, str | None]]:
    """The pictures below a folder, with their labels; None if nothing says what a picture shows."""
    for folder in sorted([root, *(path for path in root.rglob("*") if path.is_dir())]):
        of_file = labels_of_file(folder)
        of_folder = None if folder == root else label_of_name(folder.name)
        paths = sorted(path for path in folder.iterdir() if path.is_file() and path.suffix.lower() in SUFFIXES)
        is_counted = count_up(paths)
        for path in paths:
            yield path, of_file.get(path.name) or of_folder or (None if is_counted else label_of_name(path.name))


def result(network: engine.Network, picture: Image.Image, label: str) -> Result:
    """What the network reads in a picture."""
    try:
        lines = read(network, picture).lines
    except engine.BlankDrawing:
        lines = []
    digits = " ".join("".join(str(digit.probabilities.argmax()) for digit in line) for line in lines)
    return Result(label, digits, [bool(digit.probabilities.max() >= threshold(network)) for line in lines for digit in line])


def read_folder(root: Path, networks: dict[str, engine.Network]) -> tuple[dict[str, dict[str, Result]], list[str]]:
    """The results of each network by the pictures' names, and a line for each picture that was left out."""
    results: dict[str, dict[str, Result]] = {name: {} for name in networks}
    problems, unlabelled = [], []
    for path, label in labelled_pictures(root):
        name = str(path.relative_to(root))
        if label is None:
            unlabelled.append(name)
            continue
        try:
            picture = engine.read_image(path)
            for network_name, network in networks.items():
                results[network_name][name] = result(network, picture, label)
        except (engine.InklingError, OSError, ValueError) as error:
            problems.append(f"{name}: {one_line(error)}")
    if unlabelled:
        more = f" and {len(unlabelled) - 1} more" if len(unlabelled) > 1 else ""
        problems.append(f"{unlabelled[0]}{more}: nothing says which digits are shown; write it in labels.csv")
    return results, problems


def one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def figures(results: list[Result]) -> dict[str, dict[str, int]]:
    """The counts for each kind of picture."""
    kinds: dict[str, list[Result]] = {"one digit": [], "several digits": [], "no digit": []}
    for one in results:
        kinds["no digit" if one.label == NONE else "one digit" if len(one.label) == 1 else "several digits"].append(one)
    kinds["all"] = results
    return {
        kind: {
            "pictures": len(of_kind),
            "right": sum(one.is_right for one in of_kind),
            "sure and wrong": sum(one.is_wrong for one in of_kind),
            "not sure": sum(not one.is_sure for one in of_kind),
            "digits": sum(len(one.label.replace(" ", "")) for one in of_kind if one.label != NONE),
            "digits sure and wrong": sum(one.num_wrong for one in of_kind if one.label != NONE),
        }
        for kind, of_kind in kinds.items()
        if of_kind
    }


def corruptions() -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Damaged MNIST test images as networks see them, float32 (N, 28, 28), and the labels."""
    images, labels = load_data("mnist")[1].take(slice(None))
    images, rng = images.reshape(-1, 28, 28), np.random.default_rng(0)
    clean = images.astype(np.float32) / 255
    noise = np.clip(clean + rng.normal(0, NOISE, clean.shape), 0, 1).astype(np.float32)
    impulses = np.where(rng.random(clean.shape) < IMPULSES, rng.random(clean.shape) < 0.5, clean).astype(np.float32)
    some = [Image.fromarray(image) for image in images[:NUM_SLOW]]
    large = [image.resize((CANVAS, CANVAS), Image.Resampling.BICUBIC) for image in some]
    return {
        "noise": noise,
        "impulses": impulses,
        "impulses, prepared": prepared(np.round(255 * impulses).astype(np.uint8)),
        "blurred, prepared": prepared(image.filter(ImageFilter.GaussianBlur(BLUR)) for image in some),
        "thinned, prepared": prepared(thinned(np.asarray(image)) for image in large),
        "dotted, prepared": prepared(dotted(np.asarray(image)) for image in large),
    }, labels


def prepared(images) -> np.ndarray:
    """The images through ``prepare``; all zeros for one in which no ink was found."""

    def one(image):
        try:
            return engine.prepare(image)
        except engine.BlankDrawing:
            return np.zeros((28, 28), np.float32)

    return np.stack([one(image) for image in images])


def thinned(image: np.ndarray) -> np.ndarray:
    """An enlarged digit with thinner lines."""
    from scipy import ndimage

    depth = np.asarray(ndimage.distance_transform_edt(image > 127))
    return np.where(depth > MIN_DEPTH * np.percentile(depth[depth > 0], USUAL_DEPTH_PERCENTILE), 255, 0).astype(np.uint8)


def dotted(image: np.ndarray) -> np.ndarray:
    """An enlarged digit in dots."""
    from scipy import ndimage

    depth = np.asarray(ndimage.distance_transform_edt(image > 127))
    middle = np.argwhere((depth == ndimage.maximum_filter(depth, 5)) & (depth > 0))  # rows and columns
    dots: list[np.ndarray] = []
    for point in middle:
        if all(np.hypot(*(point - dot)) >= DOT_SPACING for dot in dots):
            dots.append(point)
    points = np.array(dots, float)[:, ::-1]
    return draw_dots(points[None], np.full((1, len(points)), DOT_RADIUS), CANVAS)[0]


def corruption_figures(network: engine.Network, images: np.ndarray, labels: np.ndarray) -> dict[str, int]:
    probabilities = network.predict_proba(images)
    is_sure, is_right = probabilities.max(axis=1) >= threshold(network), probabilities.argmax(axis=1) == labels
    return {
        "images": len(labels),
        "right": int(is_right.sum()),
        "sure and wrong": int((is_sure & ~is_right).sum()),
        "not sure": int((~is_sure).sum()),
    }


def show(rows: Mapping[str, Mapping[str, int]]) -> None:
    """Print a table; with the number of right ones as a percentage, too."""
    columns = list(next(iter(rows.values())))
    print(f"  {'':20}" + "".join(f"{column:>23}" for column in columns) + "    right")
    for name, row in rows.items():
        print(
            f"  {name:20}" + "".join(f"{row[column]:>23,}" for column in columns) + f"{row['right'] / row[columns[0]]:9.2%}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, help="a folder of pictures")
    parser.add_argument("--networks", nargs="+", type=Path, default=SHIPPED, metavar="FILE", help="networks' .npz files")
    parser.add_argument("--corruptions", action="store_true", help="measure on damaged MNIST test images")
    parser.add_argument("--list", action="store_true", help="also print each picture that is not read right")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all figures to this file")
    options = parser.parse_args()
    if options.folder is None and not options.corruptions:
        parser.error("name a folder of pictures, or use --corruptions")
    networks = {str(path): engine.load(path) for path in options.networks}
    written: dict[str, dict] = {}
    if options.folder is not None:
        if not options.folder.is_dir():
            raise engine.InklingError(f"{options.folder} must be a folder")
        results, problems = read_folder(options.folder, networks)
        for line in problems:
            print(f"Left out: {line}")
        for name, of_network in results.items():
            if not of_network:
                raise engine.InklingError(f"{options.folder} has no picture that can be read and says what it shows")
            print(f"\n{name}: {options.folder}")
            show(figures([*of_network.values()]))
            for picture, one in of_network.items() if options.list else ():
                if not one.is_right:
                    sure = "sure" if one.is_sure else "not sure"
                    print(f"    {picture}: shows {one.label}, read as {one.digits or 'nothing'}, {sure}")
            pictures = {picture: asdict(one) for picture, one in of_network.items()}
            written[name] = {"folder": figures([*of_network.values()]), "pictures": pictures}
    if options.corruptions:
        damaged, labels = corruptions()
        for name, network in networks.items():
            rows = {kind: corruption_figures(network, images, labels[: len(images)]) for kind, images in damaged.items()}
            print(f"\n{name}: damaged MNIST test images")
            show(rows)
            written.setdefault(name, {})["corruptions"] = rows
    if options.json:
        options.json.write_text(json.dumps(written, indent=1))


if __name__ == "__main__":
    try:
        main()
    except Exception as error:  # such as a damaged labels file
        sys.exit(f"{Path(__file__).name}: {one_line(error)}")
