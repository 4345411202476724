"""Which images? Real CIFAR-10, or patches of ten photographs that need no network, in the same shapes."""

from course_utils.data.errors import DataError
from course_utils.data.loader import Loader
from course_utils.data.sources import load_images
from course_utils.data.split import Split

__all__ = ["DataError", "Loader", "Split", "load_images"]
