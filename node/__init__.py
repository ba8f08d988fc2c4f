"""A hospital's or a county's node: takes in messages, keeps records, pre-scores, reports.

Patient records never leave a node. What leaves are sealed statements of
measures, and only towards the hub that the node joined.
"""
