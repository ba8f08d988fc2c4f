"""The wire of edge devices (终端): EdgeIntake over mutual TLS, EdgeEnrolment over server TLS.

Rules:
- Every call is admitted by certificate, register and table; nothing of that is kept in a line.
- A refused device reads one wording for every cause; the daemon's log says the cause and the id.
- Servicers decode, call one flow, encode.
"""
