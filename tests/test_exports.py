"""Every name that a package promises is there, whether it is imported at once or when used."""

from __future__ import annotations

from importlib import import_module

import pytest


@pytest.mark.parametrize("package", ["designspace", "analysis", "search"])
def test_every_promised_name_can_be_imported(package: str) -> None:
    module = import_module(f"regnet_ds.{package}")
    assert module.__all__ == sorted(set(module.__all__), key=module.__all__.index)
    for name in module.__all__:
        assert getattr(module, name) is not None
    with pytest.raises(AttributeError, match=f"regnet_ds.{package}' has no attribute 'nothing'"):
        module.nothing  # noqa: B018
