"""How were the embedded photographs made? Cropped to a square, scaled to 300 x 300 pixels, stored without loss.

    python make_photos.py FOLDER

FOLDER is searched for the originals under the file names below; LICENSES.md says which package carries each one.
The package never runs this script: it is kept so that a photograph can be checked, replaced or added.
"""

import bz2
import sys
from pathlib import Path

from PIL import Image

SIDE = 300

#: name of the photograph: (file name of its original, left and top edge and side of the square that is kept)
PHOTOS = {
    "admiral": ("grace_hopper.jpg", 0, 0, 512),
    "astronaut": ("astronaut.png", 0, 0, 512),
    "cat": ("chelsea.png", 90, 0, 300),
    "coffee": ("coffee.png", 78, 0, 400),
    "flower": ("flower.jpg", 140, 50, 340),
    "galaxies": ("hubble_deep_field.jpg", 64, 0, 480),
    "pagoda": ("china.jpg", 15, 20, 400),
    "raccoon": ("face.dat", 250, 0, 768),
    "retina": ("retina.jpg", 30, 160, 1080),
    "rocket": ("rocket.jpg", 139, 67, 360),
}


def read_original(path: Path) -> Image.Image:
    """The photograph in RGB; ``face.dat`` is 768 rows of 1024 bare pixels behind bzip2."""
    if path.suffix == ".dat":
        return Image.frombytes("RGB", (1024, 768), bz2.decompress(path.read_bytes()))
    return Image.open(path).convert("RGB")


def find_original(folder: Path, name: str) -> Path:
    """The one place below ``folder`` that has a file of this name."""
    return next(path for path in sorted(folder.rglob(name)) if path.is_file())


def main(folder: Path) -> None:
    """Write every photograph beside this script."""
    for name, (file, left, top, side) in PHOTOS.items():
        box = (left, top, left + side, top + side)
        photo = read_original(find_original(folder, file)).resize((SIDE, SIDE), Image.Resampling.LANCZOS, box)
        # No colour profile: the pixels are used as they are, whatever screen the photographer had.
        photo.save(Path(__file__).with_name(f"{name}.png"), optimize=True, icc_profile=None)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
