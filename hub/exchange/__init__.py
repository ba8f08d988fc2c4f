"""Exchange of a hub: its own keys, enrolment, downlink, its parent hub, the audit export."""
