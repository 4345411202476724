"""Fixtures that several test files share."""

from tests.real_images import built_cifar10, real_cifar10

__all__ = ["built_cifar10", "real_cifar10"]
