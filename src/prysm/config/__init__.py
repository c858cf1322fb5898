"""Where the gateway's settings come from: `PRYSM_*` in the environment, and `prysm.toml`.

Read by the composition root and the command line only; everything else receives values.
"""

from __future__ import annotations

from prysm.config.load import Config, load_config, zero_key
from prysm.config.local import Endpoint
from prysm.config.settings import Settings
from prysm.config.tables import Proof, Retention, Server

__all__ = ["Config", "Endpoint", "Proof", "Retention", "Server", "Settings", "load_config", "zero_key"]
