"""A model server that misbehaves on request, in every wire format: `prysm sandbox --faults`.

Which fault is in the name of the model that is asked for, as in `fault-429-retry-after-seconds`. Nothing here is part
of the gateway; it is what the gateway is tried against.
"""

from __future__ import annotations

from prysm.faults.catalog import FAULTS, Fault
from prysm.faults.doors import DOORS
from prysm.faults.server import FaultServer

__all__ = ["DOORS", "FAULTS", "Fault", "FaultServer"]
