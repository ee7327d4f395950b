"""The registry of named guards: each line that prevents harm can be switched off in a test process, and only there.

`OMNI_TEST=1 OMNI_GUARDS_OFF=consent,cap` disables those; a name that is not in `GUARDS` is refused at import.
"""

from __future__ import annotations

import os

GUARDS = frozenset(
    {
        "suppression", "consent", "erasure", "complaint_open", "pack", "cap", "min_gap", "quiet_hours", "budget",
        "approval", "exit_rules", "stop_flag", "expiry", "fence", "header_values", "content_repeat", "stale_data",
        "fence_in_t3", "wake_check", "one_open_attempt", "one_address", "bisect", "slow_start", "own_event_settles", "path_alive",
        "waived_before_resend", "park_marketing", "breaker", "retry_budget", "canary", "jump_guard",
        "writer_lock", "full_sync", "foreign_keys", "hold", "append_only", "touch_move", "disk_floor",
        "dedup_key", "dedup_event_id", "opt_out_at_once", "sticky_flags", "contradiction", "quality",
        "bounce_mark", "bounce_vouched", "bounce_stored_first", "push_host", "whole_answer",
        "whatsapp_window", "whatsapp_limit", "country_list", "twilio_signature", "twilio_fields", "twilio_mark",
        "gate_reachable", "gate_erasure", "gate_exits", "gate_expiry", "gate_complaint", "gate_hours", "gate_caps", "gate_budget",
        "plain_address", "touch_key", "sending_never_returns", "defect_is_unknown", "no_redirects", "n_day_count", "tag_nonce", "tags_by_part",
        "sendgrid_signature", "raw_bytes", "signed_ids", "sendgrid_mark", "stored_before_2xx",
        "post_only", "token_purpose", "token_signature", "no_page_redirect", "web_targets", "occurrence_key", "catch_up", "spread",
        "sandbox", "ast_list", "output_limit", "autoescape", "header_line", "strict_undefined", "redaction", "quiet_clients",
    }
)  # fmt: skip

_OFF = frozenset(filter(None, os.environ.get("OMNI_GUARDS_OFF", "").split(","))) if os.environ.get("OMNI_TEST") else frozenset()
if _OFF - GUARDS:
    raise ValueError(f"no guard called {sorted(_OFF - GUARDS)}")


def on(name: str) -> bool:
    """True unless a test process switched the guard off."""
    return name not in _OFF
