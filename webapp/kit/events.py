"""What the events of all tabs share.

button.click(job, inputs, outputs, **COMPUTES)
"""

from __future__ import annotations

from typing import Any

from webapp.kit.services import COMPUTE, COMPUTE_LIMIT

PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
"""Of the page alone: no endpoint of the API."""
AT_ONCE: dict[str, Any] = {**PRIVATE, "queue": False}
"""Quick, past the queue."""
COMPUTES: dict[str, Any] = {**PRIVATE, "concurrency_id": COMPUTE, "concurrency_limit": COMPUTE_LIMIT}
"""Works with models: waits for its turn."""
SEEN_COMPUTES: dict[str, Any] = {**COMPUTES, "show_progress": "minimal"}
FOLLOWING: dict[str, Any] = {**PRIVATE, "trigger_mode": "always_last"}
"""For what may change again while the last change is being answered."""
FOLLOWING_COMPUTES: dict[str, Any] = {**COMPUTES, "trigger_mode": "always_last"}

Updates = dict[Any, Any]
"""Component → its new value or properties: what a handler returns or yields."""
Values = dict[Any, Any]
"""Component → what stands in it: what a handler is given."""
