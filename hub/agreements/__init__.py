"""Sharing agreements (共享协议): terms, products, requests and queries of a hub."""
