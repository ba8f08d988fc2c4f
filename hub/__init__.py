"""Hub (市级、省级平台): enrols members, takes in envelopes, grades, publishes, pushes upward."""
