#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""mutate.py [NAME...] - plant faults in copies of the module, one at a time, and see whether the tests catch each

KERNEL=6.1 (default) runs what any kernel from there on shows; KERNEL=5.10 what only that one shows; KERNEL=debug what
takes KASAN, lockdep, kmemleak or KUnit to see.
A fault is a piece of source text and what replaces it; when the text is not there exactly once, the fault no longer
applies, and that is a failure like one that is missed. Each has the test that must catch it, which has to pass
on the module as it is.
"""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
KERNEL = os.environ.get("KERNEL", "6.1")
# a VM that hangs ends at once, not when its time is over
HANGS = "panic=-1 softlockup_panic=1 hung_task_panic=1 sysctl.kernel.panic_on_rcu_stall=1"
VM = ["env", f"VTAP_APPEND={HANGS}", "tools/bed/vm.sh", KERNEL]
PLAIN = "module as it is"
COMPLAINT = re.compile(r"BUG|WARNING|INFO: |UBSAN|KASAN|suspicious|Oops|general protection|unregister_netdevice|"
                       "leaked reference|possible .*deadlock")
LEAKS = "/sys/kernel/debug/kmemleak"
SUITES = "/sys/module/kunit/parameters/filter_glob"

# name, file, text, what replaces it, the test that must see it
MUTATIONS = [
    # what a collector gets
    ("ERSPAN III: D bit for the other direction", "encap.c",
     "if (f->dir == VTAP_OUT)", "if (f->dir == VTAP_IN)", "receivers.py pings"),
    ("ERSPAN II: En says that the tag was taken out", "encap.c",
     "#define VTAP_ERSPAN_EN_KEPT\t3", "#define VTAP_ERSPAN_EN_KEPT\t2", "receivers.py vlan"),
    ("ERSPAN: COS one bit off", "encap.c",
     "#define VTAP_ERSPAN_COS_SHIFT\t13", "#define VTAP_ERSPAN_COS_SHIFT\t12", "receivers.py vlan"),
    ("ERSPAN: no T bit", "encap.c", "w0 |= VTAP_ERSPAN_T;", ";", "receivers.py snaplen"),
    ("ERSPAN: tag in the frame and in the header", "encap.c",
     "if (t->strip_vlan)\n\t\t\tw0", "if (1)\n\t\t\tw0", "receivers.py vlan"),
    ("sequence number stands still", "send.h",
     "atomic_fetch_inc(&t->s->seq)", "atomic_read(&t->s->seq)", "receivers.py header"),
    ("sequence number begins with 1", "send.h",
     "atomic_fetch_inc(&t->s->seq)", "atomic_inc_return(&t->s->seq)", "receivers.py header"),
    ("outer IPv4 checksum without the length", "send.h",
     "t->ipsum + (__force u16)iph->tot_len +", "t->ipsum +", "receivers.py header"),
    ("outer DF bit where fragments are wanted", "encap.c",
     "cfg->mtu != VTAP_MTU_POLICY_FRAGMENT", "cfg->mtu == VTAP_MTU_POLICY_FRAGMENT", "receivers.py header"),
    ("UDP length in host order", "encap.c",
     "uh->len = htons(skb->len - t->tun)", "uh->len = (__force __be16)(skb->len - t->tun)", "receivers.py header"),
    ("VXLAN over IPv6 without checksum", "encap.c",
     "uh->check = CSUM_MANGLED_0;", "uh->check = CSUM_MANGLED_0;\n\tuh->check = 0;", "receivers.py header"),
    ("GRE checksum over the headers alone", "encap.c",
     "csum_partial(gre, skb->len - t->tun, 0)", "csum_partial(gre, t->hlen - t->tun, 0)",
     "cut.py csum"),
    ("GRE checksum without the last byte", "encap.c",
     "csum_partial(gre, skb->len - t->tun, 0)", "csum_partial(gre, (skb->len - t->tun) & ~1, 0)",
     "cut.py csum"),
    ("GRE checksum from the outer IP header on", "encap.c",
     "csum_partial(gre, skb->len - t->tun, 0)",
     "csum_partial(skb->data + t->l2len, skb->len - t->l2len, 0)",
     "cut.py csum"),
    ("GRE checksum in the place of Reserved1", "encap.c",
     "(__sum16 *)gre->opt;", "(__sum16 *)gre->opt + 1;", "cut.py csum"),
    ("GRE checksum where the key belongs", "encap.c",
     "\t\t\tgre->flags |= htons(VTAP_GRE_CSUM);\n\t\t\topt++;\n\t\t}\n",
     "\t\t\tgre->flags |= htons(VTAP_GRE_CSUM);\n\t\t\tif (!cfg->has_key)\n\t\t\t\topt++;\n\t\t}\n",
     "cut.py csum"),
    ("GRE checksum is never filled in", "encap.c",
     "t->per_packet = vxlan || t->csum ||", "t->per_packet = vxlan ||", "cut.py csum"),
    ("last outer fragment is not marked", "send.c",
     "bool more = t->tun + off + n < whole->len", "bool more = t->tun + off + n <= whole->len", "faithful.py policies"),
    # copies without payload
    ("slice: payload of later fragments", "slice.c", "iph->frag_off & htons(IP_OFFSET)", "false", "slice.py headers"),
    ("slice: payload of later IPv6 fragments", "slice.c", "fh->frag_off & htons(IP6_OFFSET)", "false", "slice.py headers"),
    ("slice: IPv4 options are no header", "slice.c", "hlen = iph->ihl * 4;", "hlen = sizeof(*iph);", "slice.py headers"),
    ("slice: TCP options are no header", "slice.c",
     "n = ((const struct tcphdr *)h)->doff * 4;", "n = sizeof(struct tcphdr);", "slice.py headers"),
    ("slice: what pads the frame is of the packet", "slice.c",
     "vtap_slice_limit(s, s->off + ntohs(iph->tot_len));", ";", "slice.py headers"),
    ("slice: UDP's own length does not count", "slice.c",
     "ntohs(((const struct udphdr *)h)->len)", "65535", "slice.py headers"),
    ("slice: more bytes behind a header that is not there", "slice.c",
     "return s.off;\n\treturn min(", "return min(s.off + more, whole);\n\treturn min(", "slice.py headers"),
    ("slice: 8 bytes of any protocol", "slice.c",
     "default:\n\t\treturn false;", "default:\n\t\treturn vtap_slice_pass(s, 8);", "slice.py headers"),
    ("slice: ICMPv6 in IPv4", "slice.c", "return ipv4 == (proto == IPPROTO_ICMP) && ", "return ", "slice.py headers"),
    ("slice: four tags at most", "slice.c", "#define VTAP_SLICE_TAGS\t\t5", "#define VTAP_SLICE_TAGS\t\t4", "slice.py headers"),
    ("slice: frames that fit are sent as they are", "encap.c",
     "if (t->decap || t->layer)\n\t\treturn 0;", "if (t->decap)\n\t\treturn 0;", "slice.py headers"),
    ("mask: the last byte is left", "slice.c", "memset(from, 0, n);", "memset(from, 0, n - 1);", "slice.py headers"),
    ("mask: not counted", "slice.c", "VTAP_SESSION_STAT_MASKED, 1", "VTAP_SESSION_STAT_MASKED, 0", "slice.py headers"),
    ("mask: before the checksum", "copy.c",
     "if (f->skb->ip_summed == CHECKSUM_PARTIAL &&\n\t    unlikely",
     "if (step == VTAP_COPY_SLICED)\n\t\tvtap_slice_copy(t, copy, whole);\n"
     "\tif (f->skb->ip_summed == CHECKSUM_PARTIAL &&\n\t    unlikely", "slice.py sums"),
    ("slice: too long for the path before it is cut", "slice.c",
     "vtap_copy_limit(t, t->mask ? whole : end)", "min(end, vtap_copy_limit(t, whole))", "slice.py lengths"),
    ("slice: segments are whole", "super.c", "len = end;", "len = whole;", "slice.py streams"),
    ("mask: segments are whole", "cut.c", "if (c->mask && c->mask < copy->len)", "if (0)", "slice.py streams"),
    ("slice: before decap", "copy.c",
     "if (step < VTAP_COPY_DECAPPED && t->decap)", "if (step < VTAP_COPY_DECAPPED && t->decap && !t->layer)",
     "slice.py decap"),
    ("not refused: offload with mask", "encap.c",
     "cfg->offload && (cfg->slice || cfg->mask)", "cfg->offload && cfg->slice", "netlink.py session_refused"),
    ("segments with the sequence number of the first", "cut.c",
     "->seq = htonl(c->seq + off)", "->seq = htonl(c->seq)", "cut.py"),
    ("every segment has FIN and PSH", "super.c",
     "if (off + n < c->payload)\n\t\t\tflags", "if (0)\n\t\t\tflags", "cut.py"),
    ("every segment has CWR", "super.c", "flags &= ~TCPHDR_CWR", "flags &= ~0", "cut.py"),
    ("IP ids of segments stand still", "cut.c", "c->id += c->step;", ";", "cut.py"),
    ("super-frame whole where its segments do not fit", "offload.c", "inner + mss > t->max_plain ||", "", "cut.py offload"),
    ("super-frame whole for a device that does not want it", "offload.c",
     "if (!skb_gso_ok(skb, netif_skb_features(skb) | robust))", "if (0)", "cut.py offload"),
    ("super-frame that goes on whole counts as one", "offload.c", ".sent = n, .bytes", ".sent = 1, .bytes", "cut.py offload"),
    ("checksum left to the device", "copy.c",
     "if (f->skb->ip_summed == CHECKSUM_PARTIAL &&", "if (0 &&", "faithful.py partial"),
    ("tag in the metadata lost", "edit.h",
     ".insert = meta && !t->strip_vlan ? VLAN_HLEN : 0", ".insert = 0", "faithful.py vlan"),
    ("copies of the frames that are not sampled", "rule.c",
     "return !reciprocal_scale(n, rule->sample)", "return reciprocal_scale(n, rule->sample)", "faithful.py sample"),
    ("ESP copied before it is encrypted", "copy.c",
     "if (unlikely(f->dir == VTAP_OUT && vtap_original_unfinished(f->skb)))", "if (0)",
     "original.py esp"),
    ("pages of zero-copy senders not read", "original.c",
     "err = skb_copy_bits(skb, off, skb_frag_address(frag), skb_frag_size(frag))", "err = 0",
     "original.py zerocopy"),
    ("cut SCTP without its checksum", "copy.c", "if (field + sizeof(__le32) <= len)", "if (len == whole)",
     "faithful.py sctp"),
    ("802.3 frames leave with their length as protocol", "send.c",
     "skb->protocol = vtap_copy_eth_type(skb)", "skb->protocol = eth_hdr(skb)->h_proto",
     "original.py llc"),
    ("hash without a secret", "flow.c",
     "get_random_bytes(&vtap_flow_secret, sizeof(vtap_flow_secret));", "vtap_flow_secret = 1;",
     "flow.py loads"),
    ("hash of one direction", "flow.c", "min(a, b) ^ s, y = max(a, b) ^ t", "a ^ s, y = b ^ t",
     "flow.py secret"),
    ("hash of fragments with the protocol", "flow.c", "frag ? 0 : kind", "kind", "flow.py secret"),
    ("hash of IPv4 fragments with ports", "flow.c", "(VTAP_KEY_IP | VTAP_KEY_FRAG)) == VTAP_KEY_IP",
     "VTAP_KEY_IP) == VTAP_KEY_IP", "flow.py secret"),
    ("hash of 802.3 frames with their length", "flow.c",
     "eth_proto_is_802_3(key->proto) ? ntohs(key->proto) : 0", "ntohs(key->proto)",
     "flow.py secret"),
    ("seed of small numbers as it is", "flow.c", "seed ? siphash_1u64(seed, &key) : 0", "seed",
     "flow.py seeded"),
    ("source port without the seed", "encap.c", "vtap_flow_hash(t->seed,", "vtap_flow_hash(1,",
     "flow.py seeded"),
    ("sampling without the seed", "rule.c", "seed ?: vtap_flow_secret", "vtap_flow_secret",
     "flow.py seeded"),
    ("queue without the hash", "send.h", "__skb_set_sw_hash(skb, hash, true);\n\t}",
     "__skb_set_sw_hash(skb, 1, true);\n\t}",
     "flow.py queues"),
    ("routers' words with wrong checksums", "pmtu.c",
     "!nf_checksum(q, NF_INET_LOCAL_IN, icmp, proto, family) &&", "", "paths.py path_mtu"),
    ("router's words on fragments lost", "pmtu.c", "key.ip_proto = fh->nexthdr;", ";", "paths.py path_mtu"),
    ("router's answer stored on the route without dev", "pmtu.c",
     "ipv4_update_pmtu(q, vn->net, mtu, last,", "ipv4_update_pmtu(q, vn->net, mtu, 0,",
     "wayout.py path_mtu"),
    ("router's answer stored on another IPv6 route", "pmtu.c",
     "fl6.flowi6_oif = last;", ";", "wayout.py path_mtu"),
    ("router's answer for sessions of other devices", "pmtu.c",
     "if (t->dev->ifindex == iif)", "if (0)", "wayout.py same_addresses"),
    ("router's answer for sessions of other VRFs", "pmtu.c",
     "return VTAP_PMTU_VRF;", "return VTAP_PMTU_PATH;", "wayout.py vrf"),
    ("answers to all copies count", "own.c", "return !memcmp(&t->own[(u8)k->what].key, k, sizeof(*k));",
     "return true;", "check.py quotes"),
    ("short quotes do not count", "own.c", "if (len >= VTAP_OWN_TUN_MAX || !vtap_own_path(", "if (1 || !vtap_own_path(",
     "check.py quotes"),
    ("answers count for other VRFs", "pmtu.c", "\t\t    vtap_pmtu_concern(vn, t, key, iif) == best)",
     "\t\t    vtap_pmtu_concern(vn, t, key, iif))", "check.py vrf"),
    ("unknown next header does not count", "pmtu.c", "icmp6h->icmp6_type == ICMPV6_PARAMPROB", "0", "check.py answers"),
    ("an event for each answer", "unreach.c", "news = !u->errors ||", "news = true ||", "check.py answers"),
    ("VRF ignored", "path.c",
     "vtap_session_resolve_ip(s, t, dev ? dev->ifindex : 0)", "vtap_session_resolve_ip(s, t, 0)",
     "wayout.py vrf"),
    ("outer ids begin with zero", "session.c", "get_random_u32() & ~0xffu", "0", "wayout.py ids"),
    ("outer ids given twice", "send.h", "atomic_add_return(VTAP_IPID_BLOCK,",
     "atomic_add_return(VTAP_IPID_BLOCK / 2,", "wayout.py ids"),
    ("link-local collector without dev", "session.c",
     "__ipv6_addr_needs_scope_id(ipv6_addr_type(r)) &&", "0 &&", "wayout.py link_local"),
    ("filters without a limit", "cost.c", "if (vn->cost <= VTAP_COST_MAX)", "if (1)",
     "scale.py limit"),
    ("inner matches are free", "cost.c", " + l->n_inner * VTAP_COST_INNER", "", "scale.py limit"),
    ("what alternatives have in common counts once", "cost.c", "l->depth * each", "each", "scale.py listed"),
    ("matches without a limit", "cost.c", "if (vn->n_matches > VTAP_MATCHES_MAX)", "if (0)", "scale.py listed"),
    # which frames are copied
    ("a VM behind macvlan sends at ingress", "kind.c",
     "return BIT(VTAP_OUT);", "return BIT(VTAP_IN);", "l3.py upper"),
    ("below macvlans, a VM sends at ingress alone", "kind.c",
     "dev->flags & IFF_LOOPBACK || vtap_kind_is_lower(dev)", "dev->flags & IFF_LOOPBACK", "l3.py macvlan"),
    ("below ipvlans, a VM sends at ingress alone", "kind.c",
     "found |= vtap_kind_is_ipvlan(upper)", "found |= false", "l3.py upper"),
    ("below macvlans, what a VM gets is at one side", "draft.c",
     "(t->sends == both ? both : ~t->sends)", "~t->sends", "l3.py macvlan"),
    ("tables of other kinds of ports are shared", "tables.c", "t->sends == sends &&", "", "l3.py upper"),
    ("notes begin when all tables are there", "port.c",
     "if (!vn->noting && vtap_port_needs_notes(b->dev, b->table))", "if (0)", "once.py arriving"),
    ("where a VM sends stays as it was", "port.c",
     "WRITE_ONCE(port->sends, sends);", "if (list_empty(&port->list))\n\t\tWRITE_ONCE(port->sends, sends);", "l3.py macvlan"),
    ("tun is no port", "kind.c", "case ARPHRD_NONE:", "case 0xfff0:", "l3.py tun"),
    ("ipip is no port", "kind.c", "case ARPHRD_TUNNEL:", "case 0xfff0:", "l3.py tunnels"),
    ("sit is no port", "kind.c", "case ARPHRD_SIT:", "case 0xfff0:", "l3.py tunnels"),
    ("packets taken for frames", "port.c",
     "WRITE_ONCE(port->bare, vtap_kind_bare(b->dev))", "WRITE_ONCE(port->bare, false)", "l3.py tun"),
    ("packet: the bytes before it in place of a header", "copy.c",
     "memcpy(inner, &f->key.eth, ETH_HLEN);", "memcpy(inner, f->skb->data + f->mac, ETH_HLEN);", "l3.py tunnels"),
    ("packet: no addresses in front of segments", "edit.c",
     "memcpy(head, &f->key.eth, n);", "memset(head, 0xff, n);", "l3.py tun"),
    ("packet: tag in the metadata lost", "edit.c",
     "n += VLAN_HLEN;\n\t}\n\tput", "}\n\tput", "l3.py tun_tag"),
    ("packet: no header where the kernel cuts", "copy.c",
     "if (IS_ERR_OR_NULL(skb) || !f->bare)\n\t\treturn skb;", "return skb;", "l3.py tun"),
    ("packet: filter without a header", "rule.c", "if (unlikely(f->bare))", "if (0)", "l3.py tun"),
    ("packet: filter sees a super-frame as short as its copy", "filter.c",
     "skb->len += f->len - n;", ";", "l3.py tun"),
    ("lo by a pattern", "kind.c",
     "!(dev->flags & IFF_LOOPBACK) && glob_match", "glob_match", "l3.py loopback"),
    ("a VRF device is a port", "kind.c", "if (netif_is_l3_master(dev))", "if (0)", "l3.py why"),
    ("internal ports belong to nobody", "kind.c",
     "return datapath && vtap_kind_is_datapath(datapath);", "return false;", "l3.py internal"),
    ("an internal port is a master", "kind.c",
     "(!list_empty(&dev->adj_list.lower) || !strcmp(dev->name, VTAP_OVS_DATAPATH))", "true", "l3.py internal"),
    ("alternative names seen at the next change of rules only", "names.c",
     "list_splice_init(&vn->index->names.others, &others);", ";", "l3.py names"),
    ("ports of a rule: one for each table", "tables.c",
     "if (vtap_table_has(t, rule))\n\t\t\tn += t->refs - t->joins;",
     "if (vtap_table_has(t, rule))\n\t\t\tn++;", "l3.py upper"),
    ("a new device is bound to nothing", "main.c",
     "if (!vtap_port_prepare(vn, dev, &b))\n\t\tvtap_port_commit(vn, &b, false);\n\tvtap_hook_finish(vn);\n"
     "\tvtap_due_dev(vn, dev->ifindex);", "(void)b;",
     "scale.py concerned"),
    ("each port has its own grace period", "hook.c", "port->since = ktime_get();",
     "vtap_hook_finish(port->vn);\n\tport->since = ktime_get();", "scale.py handover"),
    ("the other end of a pair keeps what it was", "main.c", "vtap_due_dev(vn, dev_get_iflink(dev));", ";", "scale.py pair"),
    ("ports of a master keep its old name", "names.c",
     "netdev_for_each_lower_dev(dev, lower, iter)\n\t\tvtap_due_dev(vn, lower->ifindex);", "(void)lower, (void)iter;",
     "scale.py concerned"),
    ("a new rule does not get to its ports", "index.c",
     "if (vtap_kind_binds(p, dev, netdev_master_upper_dev_get(dev)))\n\t\t\tvtap_due_dev", "if (0)\n\t\t\tvtap_due_dev",
     "scale.py changes"),
    ("a table is found by patterns whose rules are others", "index.c",
     "p->stamp = ++vn->index->last_stamp;", "p->stamp = p->id;", "scale.py changes"),
    ("no warnings", "kind.c", "txn->extack->_msg = text;", ";", "l3.py why"),
    ("ports read where they are not", "parse.c",
     "if (off + 4 > len)\n\t\treturn false;", "if (off > len)\n\t\treturn false;", "match.py lengths"),
    ("IPv4 header of less than 20 bytes", "parse.c", " || iph->ihl < 5", "", "match.py lengths"),
    ("innermost tag in place of the outermost", "parse.c",
     "if (!key->vlan)\n\t\t\tkey->vlan = vh", "key->vlan = vh", "match.py words_l2"),
    ("ports of a later IPv6 fragment", "parse.c",
     "if (fh->frag_off & htons(IP6_OFFSET))", "if (0)", "match.py words_ip"),
    ("the last alternative forgotten", "draft.c",
     "for (match = 0; match < n && !err; match++)", "for (match = 0; match < max(n - 1, 1U) && !err; match++)",
     "match.py listed"),
    ("inner match of the first alternative for all", "build.c", "e->match = d->match;", "e->match = 0;",
     "match.py listed"),
    ("an exception holds whatever is in the tunnel", "list.c",
     "if (vtap_form_matches(&w->form, f) && vtap_want_inner(w, f))", "if (vtap_form_matches(&w->form, f))",
     "match.py listed"),
    ("ranges in exceptions forgotten", "match.c", "!form->ranges || vtap_ports_match(form->ports, f)", "true", "match.py listed"),
    ("unset of exceptions forgotten", "nl_match.c", "if (!n_excepts && old && !no_except)",
     "if (!n_excepts && old)", "netlink.py lists"),
    ("the same match twice", "list.c", "\tif (!same)\n\t\treturn 0;\n\t*twice", "\tif (1)\n\t\treturn 0;\n\t*twice",
     "netlink.py lists"),
    ("no room for many matches in an event", "nl_rule.c", "size += vtap_nl_match_size(&w->form.match);", ";",
     "netlink.py lists_long"),
    ("prefix of odd length", "match.c",
     "for (i = 0; i < a->len; i++)", "for (i = 0; i < (a->len & ~1); i++)", "match.py words_ip"),
    ("TCP flags without the upper ones", "parse.c", "htons(0x0fff)", "htons(0x00ff)", "match.py words_l4"),
    ("port range without its end", "table.c", "s <= ports[1]", "s < ports[1]", "classify.py"),
    ("cache does not know which table it was", "table.c", "v->id == t->id && ", "", "classify.py tuples"),
    ("verdict of a filter cached", "table.c", "*pure = false;", ";", "txn.py falls_through"),
    ("equal priority: last one first", "rule.c", "a->id < b->id", "a->id > b->id", "match.py order"),
    ("priorities upside down", "rule.c", "a->pref < b->pref", "a->pref > b->pref", "match.py order"),
    ("copies are not known by their headers", "own.c",
     "return vtap_own_find(o, k, vtap_own_hash(o, k));", "return false;", "fuzz_own.py twin"),
    ("loops of few copies a second are not looked for", "loop.c",
     "#define VTAP_LOOP_SLOW_WINDOW\t(60 * HZ)", "#define VTAP_LOOP_SLOW_WINDOW\t(HZ)",
     "loops.py behind_user_space"),
    ("copies are not known while they are sent", "own.h", "return unlikely(copy) &&", "return 0 &&", "loops.py raw"),
    ("what is inside a tunnel is ours", "own.c",
     "VTAP_OWN_EXACT);\n\treturn vtap_own_has(o, &k);",
     "VTAP_OWN_EXACT);\n\tif (vtap_own_has(o, &k))\n\t\treturn true;\n"
     "\tbool vtap_tunnel_inner(const struct vtap_frame *f, u32 tunnel, struct vtap_frame *inner);\n"
     "\tstruct vtap_frame inner;\n\n"
     "\treturn vtap_tunnel_inner(f, f->key.ip_proto == IPPROTO_GRE ? VTAP_TUNNEL_GRE : VTAP_TUNNEL_VXLAN, &inner) &&\n"
     "\t       (inner.key.ip_proto == IPPROTO_UDP || inner.key.ip_proto == IPPROTO_GRE) && vtap_own_look(o, &inner);",
     "fuzz_own.py fuzz"),
    ("copies of any source are ours", "own.c",
     "VTAP_OWN_EXACT);\n\treturn vtap_own_has(o, &k);",
     "VTAP_OWN_DEST);\n\tmemset(&k.src, 0, sizeof(k.src));\n\treturn vtap_own_has(o, &k);", "fuzz_own.py fuzz"),
    ("copies of any GRE key are ours", "own.c",
     "k->id = get_unaligned((const __be32 *)(h + at));", "k->id = 0;", "fuzz_own.py twin"),
    ("other sources' ERSPAN is ours", "own.c",
     "k->session = get_unaligned_be32(h + at) & VTAP_OWN_ERSPAN_ID;", "k->session = 0;", "lifecycle.py own"),
    ("errors about copies are not ours", "own.c", "return vtap_own_error(o, f);", "return false;", "loops.py errors"),
    ("errors to anybody are ours", "own.c", " || iph->saddr != k.src.s6_addr32[0]", "", "kunit.py", "debug"),
    ("loops are not looked for", "loop.c", "fast = c->n > c->limit;", "fast = false;\n\tc->slow = 0;",
     "loops.py behind_user_space"),
    ("copies that are held back are lost", "release.c",
     "\t\tvtap_copy_release(skb);", "\t\tkfree_skb(skb);", "loops.py slowly"),
    ("copies that are held back change places", "hold.c",
     "__skb_queue_tail(&vl->queue, skb)", "__skb_queue_head(&vl->queue, skb)", "loops.py slowly"),
    # each frame once
    ("note never cleared", "note.c",
     "vtap_given_clear(&note->given);", "", "taps.py sampling"),
    ("note believed by its pointers alone", "note.c",
     "skb->head) && vtap_note_is_below(vn, last, dev))", "skb->head))", "seen.py reused"),
    ("note believed in another run", "note.c", " || note->run != vtap_note_run())", ")",
     "kunit.py", "debug"),
    ("notes are not looked for", "note.h", "(since < VTAP_NOTES || ", "(", "taps.py sampling"),
    ("what tc set aside is forgotten", "tap.c", "WRITE_ONCE(port->vn->sets_aside, true);", ";",
     "seen.py shaped", "5.10"),
    ("what tc redirects is not said to be unseen", "hook.c", "unseen |= VTAP_UNSEEN_TC_REDIRECT;", ";",
     "seen.py shaped"),
    ("what XDP sends is not said to be unseen", "hook.c", "unseen |= VTAP_UNSEEN_XDP_SEND;", ";", "seen.py bounced"),
    ("rules before what their session hides", "nl_change.c", "vtap_session_narrow(txn->vn);", "", "slice.py at_once"),
    ("an XDP program is not said to hide frames", "hook.c", "unseen |= VTAP_UNSEEN_XDP;", ";", "seen.py bounced"),
    ("frame of a queue known twice", "note.c", "if (!nested)\n\t\t\tWRITE_ONCE(hop->head, NULL);", "",
     "kunit.py", "debug"),
    ("dup guessed by the port that the frame came by", "tap.c",
     "if (unlikely(vtap_given_has(given, s->serial)) && !rule->dup) {",
     "if ((vtap_given_has(given, s->serial) || (f->dir == VTAP_OUT && f->skb->skb_iif &&\n"
     "\t\t    vtap_port_by_index(port->vn, f->skb->skb_iif))) && !rule->dup) {",
     "once.py vlan_filtering"),
    ("ends of a veth pair not known as one place", "port.c",
     "in = dev_get_iflink(dev);", "", "once.py proxmox"),
    ("hook behind tc", "chain.c", " || (tc && rcu_access_pointer(*tc))", "",
     "seen.py shaped_below_master"),
    # taps
    ("first tap decides", "tap.c", "matched = true;\n\t\t}\n\t\tvtap_tap_give(port, rule, f, given);",
     "matched = true;\n\t\t}\n\t\tvtap_tap_give(port, rule, f, given);\n\t\tbreak;",
     "taps.py observers"),
    ("a frame is matched once by each tap", "tap.c", "if (!matched) {", "if (1) {", "taps.py observers"),
    ("the tunnel of another tap's rule", "tap.c", "f->key.tunnel = tunnel;", ";", "taps.py tunnels"),
    ("a sampling rule is forgotten", "note.h", "who[0] = rule;", "who[0] = 0;", "taps.py sampling"),
    ("sampling rules of one tap are remembered", "note.h", "given->n_passed += 2;", "given->n_passed = 2;",
     "taps.py sampling"),
    ("8 sessions are remembered", "note.h", "#define VTAP_GIVEN_MAX\t38",
     "#define VTAP_GIVEN_MAX\t8", "taps.py limits"),
    ("no table of one tap alone", "tables.c", "rules[to]->tap == rules[from]->tap", "1",
     "taps.py observers"),
    ("parts of another port's table are enough", "tables.c",
     "return joined->n_parts == n && !memcmp(joined->parts, parts, n * sizeof(*parts));",
     "return joined->n_parts == n;", "taps.py observers"),
    ("ports of a rule: tables of several taps twice", "tables.c",
     "if (vtap_table_has(t, rule))\n\t\t\tn += t->refs - t->joins;",
     "if (vtap_table_has(t, rule))\n\t\t\tn += t->refs;", "taps.py observers"),
    ("anybody changes an owned tap", "owner.c",
     "if (!owner || (vn->cause && vn->cause->snd_portid == owner))", "if (1)", "owner.py foreign"),
    ("an owned tap stays that has nothing", "nl_change.c", "\t\tvtap_taps_sweep(txn->vn);\n", "",
     "owner.py refused"),
    ("an owned tap stays", "owner.c", "\tif (found)\n", "\tif (0)\n", "owner.py goes"),
    ("all owned taps go", "owner.c", "if (tap->owner != n->portid)", "if (!tap->owner)",
     "owner.py goes"),
    ("17 taps", "taps.c", "if (vn->n_taps >= VTAP_TAPS_MAX) {", "if (0) {", "taps.py limits"),
    ("sessions of all taps have one name", "session.c", "(!tap || s->cfg.tap == tap) && ", "",
     "taps.py observers"),
    ("flush of all taps' rules", "ruleset.c", "rule->tap != tap || ", "", "taps.py apart"),
    ("flush of all taps' sessions", "session.c", "s->cfg.tap != tap || ", "", "taps.py apart"),
    # what is refused
    *[(f"not refused: {what}", "refuse.c", text, f"{text} && 0", "netlink.py rule_refused")
      for what, text in (
        ("EtherType of a tag", "eth_type_vlan(htons(m->protocol))"),
        ("ports in ARP", "m->protocol != ETH_P_IPV6 && m->present & VTAP_REFUSE_IP"),
        ("ICMPv6 in IPv4", "proto == IPPROTO_ICMPV6 && ether == ETH_P_IP"),
        ("ICMP in IPv6", "proto == IPPROTO_ICMP && ether == ETH_P_IPV6"),
        ("first fragment that is none", "clear & VTAP_IP_FLAG_FRAG"),
        ("ports in later fragments", "m->present & VTAP_REFUSE_L4"),
        ("list of ports", "c == ','"))],
    ("not refused: slash in a name", "refuse.c", "if (c == '/' || c == ':')", "if (0)",
     "netlink.py rule_refused"),
    ("brackets that nothing is in taken", "refuse.c", "any |= match != inverted", "any = true",
     "netlink.py rule_refused"),
    ("brackets that some are in refused", "refuse.c", "any |= match != inverted",
     "any = match != inverted",
     "netlink.py allowed"),
    ("other masks taken for the same", "draft.c",
     "a->n == b->n && !memcmp(a->bits, b->bits, a->n * sizeof(*a->bits)) &&",
     "a->n == b->n &&", "classify.py"),
    # what users are told, and what is left behind
    ("limit counted as another cause", "send.h",
     "vtap_copy_drop(s, VTAP_SESSION_STAT_DROP_RATE, 1)", "vtap_copy_drop(s, VTAP_SESSION_STAT_DROP_XMIT, 1)", "paths.py limits"),
    ("bytes of the headers counted", "send.h",
     "const unsigned int inner = skb->len - t->hlen", "const unsigned int inner = skb->len", "receivers.py"),
    ("no echo", "nl_msg.c", "if (!err && cause) {", "if (!err && 0) {", "netlink.py echo"),
    ("events do not name their sender", "nl_msg.c",
     ".portid = cause ? cause->snd_portid : 0,", ".portid = 0,", "netlink.py echo"),
    ("a dump goes on at the start", "nl_dump.c", "pos = cb->args[0] ? kind->behind(vn, cb->args + 1) : head;",
     "pos = head;", "netlink.py dumps"),
    ("a dump misses what is behind a rule that went", "nl_dump.c",
     "rule->pref > pref || (rule->pref == pref && rule->id > id))", "0)", "netlink.py resumed"),
    ("ports in the order in which they came", "port.c",
     "list_add(&port->list, pos);", "list_add_tail(&port->list, &vn->ports);", "netlink.py resumed"),
    ("a dump of one tap has rules of all", "nl_dump.c", "if (pick->tap && rule->tap != pick->tap)", "if (0)",
     "netlink.py filters"),
    ("a dump goes on behind rules of any tap", "nl_dump.c", "rule->tap->id != tap ? rule->tap->id > tap :", "0 ? 0 :",
     "netlink.py resumed_in_another_tap"),
    ("a dump of ports does not see several taps", "nl_dump.c",
     "for (i = 0; i < t->n_parts; i++) {", "for (i = 0; i < 0; i++) {", "netlink.py filters"),
    ("filter of a dump forgotten", "nl_dump.c", "return !pick->by_port ||", "return 1 ||",
     "netlink.py filters"),
    ("a sampling rule is known by half of its id", "note.h",
     "given->who[i] == (u32)rule && given->who[i + 1] == rule >> 32", "given->who[i] == (u32)rule", "kunit.py", "debug"),
    ("rule ids of 32 bits", "rule.h", "u64 id;", "u32 id;", "kunit.py", "debug"),
    ("unset leaves what there was", "nl_default.c",
     "memcpy(cfg + m->offset, from + m->offset, m->size);", ";", "netlink.py unset"),
    ("unset of a filter's text forgotten", "nl_attr.c", " && !no_text) {", ") {", "netlink.py unset"),
    ("session stays in use", "ruleset.c",
     "rule->sessions[i]->users--", "(void)rule->sessions[i]", "netlink.py commands"),
    ("changes undone from the first on", "txn.c",
     "list_for_each_entry_safe_reverse(u,", "list_for_each_entry_safe(u,", "txn.py whole_or_not"),
    ("a transaction keeps what succeeded", "nl_change.c",
     "err = vtap_cost_check(txn->vn, txn->extack) ?: vtap_port_bind_due(txn->vn);",
     "return vtap_cost_check(txn->vn, txn->extack) ?: vtap_port_bind_due(txn->vn);", "faults.py commands", "debug"),
    ("rx_handler of the master lost", "chain.c",
     "rcu_assign_pointer(port->dev->rx_handler, port->chain->orig)", ";", "hooks.py vlan_on_chain"),
    # what takes a detector
    ("skb leaked where a limit is reached", "send.h",
     "kfree_skb(skb);\n\t\tvtap_copy_drop(s, VTAP_SESSION_STAT_DROP_RATE, 1)",
     "vtap_copy_drop(s, VTAP_SESSION_STAT_DROP_RATE, 1)",
     "paths.py limits", "debug"),
    ("old template leaked", "path.c",
     "vtap_own_del(own, old);\n\tvtap_session_tmpl_free(old);", "vtap_own_del(own, old);",
     "paths.py neighbours", "debug"),
    ("settings before a change leaked", "txn.c", "kfree(u->cfg);", ";", "txn.py set_and_clear", "debug"),
    ("neighbour never given back", "path.c",
     "neigh_ha_snapshot(ha, n, t->dev);\n\tneigh_release(n)", "neigh_ha_snapshot(ha, n, t->dev)",
     "receivers.py pings", "debug"),
    ("route never given back", "path.c",
     "dst_release(dst);\n\tif (!n)", "if (!n)", "paths.py neighbours", "debug"),
    ("template freed twice", "path.c",
     "dst_release(t->dst);\n\tkfree(t)", "dst_release(t->dst);\n\tkfree(t);\n\tkfree(t)", "paths.py neighbours", "debug"),
    ("sleeps in a softirq", "ring.c", "vtap_ring_master(GFP_ATOMIC | __GFP_NOWARN)", "vtap_ring_master(GFP_KERNEL)",
     "receivers.py pings", "debug"),
    ("sessions refreshed without RTNL", "tick.c",
     "\trtnl_lock();\n\tvtap_loop_tick(vn);", "\tvtap_loop_tick(vn);\n\trtnl_lock();",
     "receivers.py pings", "debug"),
    ("rule without a reference on its filter", "rule.c",
     "rule->filter = vtap_filter_get(cfg->filter)", "rule->filter = cfg->filter", "txn.py filters", "debug"),
    ("room for 4 bytes more than the MTU", "encap.c",
     "t->mtu > outer ? t->mtu - outer : 0", "t->mtu > outer ? t->mtu - outer + 4 : 0", "kunit.py", "debug"),
    ("inner frame that is not all there", "tunnel.c",
     "if (off + ETH_HLEN + (bare ? 1 : 0) > end)", "if (off > end)", "kunit.py", "debug"),
    ("ring used whatever its proof says", "ring.c", "vtap_ring_on = !why;", "vtap_ring_on = true;", "kunit.py", "debug"),
]


def needs(mutation):
    """Return: the kernel that MUTATION is for."""
    return mutation[5] if len(mutation) > 5 else "6.1"


# --- in the guest ---

def said():
    """Return: complaints in the kernel log since the last call."""
    log = subprocess.run(["dmesg", "-c"], check=False, stdout=subprocess.PIPE, text=True, errors="replace").stdout
    return [line for line in log.splitlines() if COMPLAINT.search(line)]


def put(path, text):
    """Write TEXT to PATH, if the kernel has it."""
    if os.path.exists(path):
        with open(path, "w", encoding="ascii") as f:
            f.write(text)


def leaked():
    """Return: objects that two scans found leaked."""
    if not os.access(LEAKS, os.W_OK):
        return []
    for wait in (6, 0):
        put(LEAKS, "scan")
        subprocess.run(["sleep", str(wait)], check=False)
    with open(LEAKS, encoding="ascii") as f:
        return [line for line in f.read().splitlines() if line.startswith("unreferenced")]


def run(command, timeout=300):
    """Run COMMAND. Return: (exit status, its output)."""
    with tempfile.TemporaryFile("w+", errors="replace") as out:
        try:
            status = subprocess.run(command, check=False, timeout=timeout, stdout=out, stderr=out).returncode
        except subprocess.TimeoutExpired:
            status = 124
        out.seek(0)
        return status, out.read()


def trial(ko, test):
    """Run TEST on module KO. Return: (what gave a fault away, or "", whether the machine is as before)."""
    subprocess.run(["modprobe", "-a", "-q", "bridge", "veth"], check=False)
    put(LEAKS, "clear")
    put(SUITES, "*" if test.startswith("kunit") else "none")
    said()
    if run(["insmod", ko])[0]:
        return "insmod", False
    program, *names = test.split()
    os.environ["VTAP_KO"] = ko
    path, = glob.glob(f"{REPO}/selftests/{program}") or glob.glob(f"{REPO}/selftests/*/{program}")
    status, out = run([path, *names])
    bad = [line for line in out.splitlines() if line.startswith("not ok")]
    clues = [*bad, *([f"exit status {status}"] if status not in (0, 1, 4) else [])]
    log = said()
    # namespaces go in the background, and take what they hold with them
    gone = run(["timeout", "60", "rmmod", ko])[0] == 0
    log += said()
    if not log and gone:
        clues += leaked()
    clues += log + ([] if gone else ["rmmod"])
    return clues[0] if clues else "", gone and not log and status != 124


def guest(jobs):
    """Run the JOBS of a file, one a line: number, module, test. Each result is a line; one that breaks things is the last."""
    os.chdir(f"{REPO}/selftests")
    with open(jobs, encoding="utf-8") as f:
        lines = f.read().splitlines()
    subprocess.run(["modprobe", "-q", "kunit"], check=False)
    for line in lines:
        number, ko, test = line.split("\t")
        print(f"begin {number}", flush=True)
        clue, fine = trial(ko, test)
        print(f"end {number} {clue}", flush=True)
        if not fine:
            break


# --- on the host ---

def sh(*command, **kw):
    """Return: what COMMAND prints."""
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, cwd=REPO, **kw).stdout.strip()


class Builder:
    """A copy of the module's source, and modules made of it."""

    def __init__(self):
        self.dir, self.kdir = f"{REPO}/build/mutate/{KERNEL}", sh("tools/bed/kernel.sh", "kdir", KERNEL)
        shutil.rmtree(self.dir, ignore_errors=True)  # objects of a fault, when the last run was ended
        os.makedirs(self.dir)
        sh("rsync", "-a", "Kbuild", "kmod", "uapi", "--exclude=*.o", "--exclude=*.ko", self.dir)
        config = f"{self.kdir}/include/config/auto.conf"
        with open(config, encoding="ascii") as f:
            self.has_extra = ["CONFIG_VTAP_KUNIT_TEST=y"] if "\nCONFIG_KUNIT=" in f.read() else []

    def make(self, name):
        """Return: the path of a module of the source as it is now, or None when it does not build."""
        p = subprocess.run(["make", "-s", "-C", self.kdir, f"M={self.dir}", *self.has_extra, "modules"], check=False, text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if p.returncode:
            print(p.stdout)
            return None
        ko = f"{self.dir}/{name}/vtap.ko"
        os.makedirs(os.path.dirname(ko), exist_ok=True)
        sh("objcopy", "-g", f"{self.dir}/kmod/vtap.ko", ko)
        return ko

    def mutant(self, number, file, old, new):
        """Return: (module with OLD replaced, "") or (None, why not)."""
        path = f"{self.dir}/kmod/{file}"
        with open(path, encoding="utf-8") as f:
            text = f.read()
        if text.count(old) != 1:
            return None, f"no longer applies: in {file} {text.count(old)} times"
        with open(path, "w", encoding="utf-8") as f:
            f.write(text.replace(old, new))
        ko = self.make(str(number))
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return ko, "" if ko else "does not build"


def boot(jobs):
    """Run JOBS, [(number, module, test)], in one VM. Return: {number: clue} of those that it came to."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=f"{REPO}/build/mutate", delete=False) as f:
        f.writelines(f"{n}\t{ko}\t{test}\n" for n, ko, test in jobs)
    p = subprocess.run([*VM, os.path.abspath(__file__), "guest", f.name], check=False, cwd=REPO, stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace")
    os.unlink(f.name)
    began = [int(n) for n in re.findall(r"^begin (\d+)", p.stdout, re.M)]
    ended = {int(n): clue.strip() for n, clue in re.findall(r"^end (\d+) ?(.*)", p.stdout, re.M)}
    if not began:
        sys.exit(f"mutate.py: no VM: {p.stderr[-2000:]}")
    if began[-1] not in ended:
        ended[began[-1]] = "the kernel died: " + next((x for x in p.stderr.splitlines() if COMPLAINT.search(x)), "")
    return ended


def boot_all(jobs, report):
    """Run all JOBS, in as many VMs as it takes; REPORT each result."""
    while jobs:
        ended = boot(jobs)
        for number, clue in ended.items():
            report(number, clue)
        jobs = [job for job in jobs if job[0] not in ended]


def chosen(names):
    """Return: mutations for this kernel, or those whose names have one of NAMES in them."""
    if names:
        return [m for m in MUTATIONS if any(n in m[0] for n in names)]
    like = "6.1" if KERNEL in ("6.12", "sid") else KERNEL
    return [m for m in MUTATIONS if needs(m) == like]


def main(names):
    """Plant, run, report. Return: exit status."""
    todo, builder, jobs, wrong = chosen(names), Builder(), [], []
    sh("make", "-s", "-C", "tools/vtap")
    sh("make", "-s", "-C", "selftests", "all")
    plain = builder.make("plain")
    tests = sorted({m[4] for m in todo})
    jobs = [(len(todo) + i, plain, test) for i, test in enumerate(tests)]
    for number, m in enumerate(todo):
        ko, why = builder.mutant(number, *m[1:4])
        if ko:
            jobs.append((number, ko, m[4]))
        else:
            print(f"not ok - {m[0]}: {why}", flush=True)
            wrong.append(m[0])

    def report(number, clue):
        if number >= len(todo):
            name, good, word = f"{PLAIN}: {tests[number - len(todo)]}", not clue, "passes" if not clue else clue
        else:
            name, good, word = todo[number][0], bool(clue), f"caught: {clue}" if clue else f"MISSED by {todo[number][4]}"
        print(f"{'ok' if good else 'not ok'} - {name}: {word}", flush=True)
        if not good:
            wrong.append(name)
    boot_all(jobs, report)
    shutil.rmtree(builder.dir, ignore_errors=True)
    print(f"{KERNEL}: {len(todo)} faults, {len(wrong)} failures")
    return 1 if wrong else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["guest"]:
        guest(sys.argv[2])
    else:
        sys.exit(main(sys.argv[1:]))
