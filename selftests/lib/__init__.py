# SPDX-License-Identifier: GPL-2.0
"""What most tests need, as the lib/py of the kernel's networking tests has it."""
from .tap import (SLOW, KsftSkipEx, busywait, defer, ksft_eq, ksft_exit, ksft_pr, ksft_run,
                  ksft_skip, ksft_true)
from .ns import (CLONE_NEWNET, KERNEL, KMOD, REPO, TESTS, VTAP, NetNS, ip, libc, modprobe, one_cpu,
                 ports_by_name, raise_backlog, sh, vtap, vtap_batch, vtap_json)
from .frames import (CAPTURES, checksum, ether, frame_number, head, is_numbered, mac, noise,
                     numbered, published_captures, strip_outer, tcp_frame, udp_frame)
from .capture import Frame, PortSniffer, Sender, Sniffer
from .topo import (A, CHAIN, INSIDE, P0, PARAM, SESSION, VM, Rig, Topology, World, bridge, param,
                   wire)
from .decode import Bad, Collector, Copy, Decoder, Stream, counted, parse_inner, sum_ok
