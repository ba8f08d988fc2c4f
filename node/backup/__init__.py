"""Backup and restore (备份与恢复) of a node: online, incremental, verified, sealed."""
