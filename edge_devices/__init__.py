"""Programs beside a node that see people: face terminals (人脸终端) and their simulators.

They meet a node on the wire alone (``EdgeIntake``) and share with it only ``scoring_kernel``,
``security`` and ``protos``.
"""
