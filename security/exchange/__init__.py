"""The member's side of the wire: outbox, inbox, uplink, downlink and membership (交换).

Every sealed byte is durable before it is sent and is sent again identically; receipts settle
idempotently. The same code serves a node towards its hub and a hub towards its parent.
"""
