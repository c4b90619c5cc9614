#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# reboot.sh - a tap on a bare Debian 12: packages installed, first tap, copies seen, rebooted, tap there again, tool
# upgraded, packages removed and purged. TAP output.
#
# apt installs the packages in a root directory, where DKMS builds the module. A disk is made of it, and a VM boots
# that with its own systemd; guest.sh is the service that makes the rest of the checks there, and reboots it.
# VTAP_TIMEOUT=1800  seconds until the VM is ended
# shellcheck disable=SC2317,SC2154 # functions are called by check(), variables are root.sh's
# shellcheck source=/dev/null
. "$(dirname "$(readlink -f "$0")")/root.sh"
tools/bed/setup.sh build package vm || exit 1

system() {	# what a Debian machine has that boots, and what the checks take
	mkdir -p "$root/etc/initramfs-tools/conf.d" "$root/root/deb/new"
	apt install --no-install-recommends initramfs-tools &&
		echo MODULES=list > "$root/etc/initramfs-tools/conf.d/disk" &&
		printf '%s\n' virtio_pci virtio_blk ext4 > "$root/etc/initramfs-tools/modules" &&
		apt satisfy --no-install-recommends "systemd-sysv, dbus, udev, dkms, linux-image-amd64, linux-headers-amd64, \
			iproute2, iputils-ping, tcpdump, netbase, $(needs)" || return
	cp tools/packaging/guest.sh "$root/root/"
	cp "$deb/vtap_${new}_$arch.deb" "$root/root/deb/new/"
	inside systemd-machine-id-setup &&
		echo '/dev/vda / ext4 defaults 0 1' > "$root/etc/fstab" || return
	cat > "$root/etc/systemd/system/checks.service" <<-U
	[Service]
	Type=idle
	ExecStart=/bin/bash /root/guest.sh
	StandardError=journal+console
	U
	mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
	ln -s ../checks.service "$root/etc/systemd/system/multi-user.target.wants/"
}
disk() {
	cp "$(echo "$root"/boot/vmlinuz-*)" "$tmp/vmlinuz"
	cp "$(echo "$root"/boot/initrd.img-*)" "$tmp/initrd"
	mke2fs -q -t ext4 -E lazy_itable_init=1,nodiscard -d "$root" "$tmp/disk" 3G
}
# a busy host: no test of the timer, see tools/bed/vm.sh
vm() {
	timeout -k 5 "${VTAP_TIMEOUT:-1800}" qemu-system-x86_64 -accel tcg,thread=single -cpu qemu64 -m 1G -nodefaults -nographic \
		-kernel "$tmp/vmlinuz" -initrd "$tmp/initrd" \
		-append "root=/dev/vda rw console=ttyS0 no_timer_check systemd.getty_auto=no loglevel=4" \
		-drive "file=$tmp/disk,format=raw,if=virtio,cache=unsafe" \
		-serial "file:$tmp/console" -serial "file:$tmp/results" < /dev/null
	tail -30 "$tmp/console"
	[ "$(tail -1 "$tmp/results")" = end ]
}

results() {	# counts what the guest says
	local line
	while IFS= read -r line; do
		case $line in
		"ok - "*) n=$((n + 1)) line="ok $n${line#ok}" ;;
		"not ok - "*) n=$((n + 1)) failed=$((failed + 1)) line="not ok $n${line#not ok}" ;;
		end) continue ;;
		esac
		echo "$line"
	done < "$tmp/results"
}

ended() { cat "$tmp/vm" && [ "$rc" = 0 ]; }

check "packages are built" tools/packaging/deb.sh || finish
check "so are those of the next version" tools/packaging/deb.sh "$new" || finish
check "a bare Debian 12" make_base || finish
check "a copy of it" make_root || finish
check "what a machine has: systemd, a kernel, DKMS" system || finish
inside bash /root/guest.sh files > "$root/root/before"
check "apt installs both packages" install "$old" || finish
check "a disk" disk || finish
: > "$tmp/results"
# its results come before that of the run
vm > "$tmp/vm" 2>&1
rc=$?
results
check "the VM ran to its end" ended
finish
