# SPDX-License-Identifier: GPL-2.0
"""One policy for many hosts: vtapd, the agent of a host, and vtapctl."""
