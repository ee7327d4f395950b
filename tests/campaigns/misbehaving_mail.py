"""The mail server of tests/providers, for tests of the deeds."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any


def a_relay(**options: Any) -> Any:
    """A server on loopback that takes what it is given."""
    name = "misbehaving"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).parents[1] / "providers" / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name].Server(**options)
