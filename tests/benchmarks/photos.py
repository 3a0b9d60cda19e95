"""How simulated photos of numbers are read, by kind; and what a photo of 12 megapixels takes.

    python tests/benchmarks/photos.py [--networks MODEL...] [--seeds 10]

``tests/simulated_photos.py`` makes the photos: the generator's digits in pencil or ballpoint, on ruled or squared paper, in
shadows, with underlines. A photo is right if all of its digits are. Thresholds were chosen on the first 1,000 seeds, so
others are used here.
"""

import argparse
import io
import resource
import subprocess
import sys
from pathlib import Path
from time import process_time

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from PIL import Image
from simulated_photos import KINDS, simulate

import engine
from engine.calibration import threshold
from engine.reading import find_writing, read_writing

ROOT = Path(__file__).parents[2]
FIRST_SEED = 20_000
LARGE = 4000, 3000  # pixels
LARGE_KINDS = ("ballpoint", "squared", "pencil")
MAX_SECONDS, MAX_MEGABYTES = 1.0, 150


def measure_kind(kind, networks, seeds):
    """For each network: photos that are right, digits that are sure and wrong, and digits."""
    figures = {name: [0, 0, 0] for name in networks}
    for seed in range(FIRST_SEED, FIRST_SEED + seeds):
        pixels, text, _ = simulate(seed, kind)
        try:
            writing = find_writing(pixels)
        except engine.BlankDrawing:
            writing = None
        for name, network in networks.items():
            digits = read_writing(network, writing).digits if writing else []
            predicted = [int(digit.probabilities.argmax()) for digit in digits]
            sure = [digit.probabilities.max() >= threshold(network) for digit in digits]
            expected = [int(symbol) for symbol in text]
            of_kind = figures[name]
            of_kind[0] += predicted == expected
            if len(predicted) == len(expected):
                of_kind[1] += sum(s and p != e for s, p, e in zip(sure, predicted, expected, strict=True))
            else:
                of_kind[1] += all(sure) and bool(digits)  # one number is surely wrong
            of_kind[2] += len(expected)
    return figures


def measure_large(kind, path):
    """CPU seconds and megabytes for decoding and reading a photo of 12 megapixels, beside what the network takes."""
    network = engine.load(path)
    pixels, text, _ = simulate(FIRST_SEED, kind)
    file = io.BytesIO()
    Image.fromarray(pixels).resize(LARGE, Image.Resampling.BICUBIC).convert("RGB").save(file, "JPEG", quality=90)
    engine.read(network, np.pad(np.full((60, 20), 255, np.uint8), 40))  # what is imported when it is needed
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts from here
    before = peak_megabytes()
    started = process_time()
    reading = engine.read(network, engine.read_image(file))
    seconds = process_time() - started
    number = "".join(str(digit.probabilities.argmax()) for digit in reading.digits)
    print(f"{kind:12}{seconds:8.2f} s{peak_megabytes() - before:8.0f} MB   {number} ({text})")
    return seconds <= MAX_SECONDS and peak_megabytes() - before <= MAX_MEGABYTES


def peak_megabytes():
    """The most memory that this process has had."""
    status = Path("/proc/self/status")
    if status.is_file():
        return int(next(line for line in status.read_text().splitlines() if line.startswith("VmHWM")).split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=sorted(map(str, (ROOT / "pretrained").glob("*.npz"))))
    parser.add_argument("--seeds", type=int, default=10, help="photos of each kind")
    parser.add_argument("--large", choices=LARGE_KINDS, help="only a photo of 12 megapixels of this kind")
    options = parser.parse_args()
    if options.large:
        sys.exit(not measure_large(options.large, options.networks[0]))
    networks = {Path(path).stem: engine.load(path) for path in options.networks}
    print(f"{'':20}" + "".join(f"{name + ': right, sure and wrong':>40}" for name in networks))
    for kind in KINDS:
        cells = [
            f"{right} of {options.seeds}, {wrong} of {digits} digits"
            for right, wrong, digits in measure_kind(kind, networks, options.seeds).values()
        ]
        print(f"{kind:20}" + "".join(f"{cell:>40}" for cell in cells), flush=True)
    print(f"\n12 megapixels, decoded and read (at most {MAX_SECONDS} s of CPU and {MAX_MEGABYTES} MB)", flush=True)
    command = [sys.executable, __file__, "--networks", *options.networks, "--large"]
    codes = [subprocess.run([*command, kind]).returncode for kind in LARGE_KINDS]
    sys.exit(any(codes))


if __name__ == "__main__":
    main()
