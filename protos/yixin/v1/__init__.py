"""Version 1 of the protocol; the modules are generated from the .proto files beside them."""
