# SPDX-License-Identifier: GPL-2.0
# make                 the modules for the kernel in KDIR (default: the running one) and the tool
# make VTAP_CHAIN=n    without a part that the module can do without: CHAIN RING DIRECT CUT SIEVE, see kmod/Kconfig
# make install         both, with the manual pages, the service and the completion; make uninstall removes them
# make install-fleet   one policy for many hosts: vtapd and vtapctl, which need python3-openvswitch; make uninstall-fleet
# make dkms-install    the same with the module's source under DKMS, which builds the module for each kernel
# make deb             Debian packages in build/deb: vtap and vtap-dkms
# make check           lint, and the self-tests in a VM; KERNEL="6.1 6.12 sid", TESTS="bed.py"
# make check-all       the same under all of Debian's kernels: 5.10, 6.1, 6.12 and sid's
# make rpm             RPM packages in build/rpm
# make check-packages  the packages, installed, upgraded and removed in a bare Debian 12, and a tap there over a reboot
#                      (10 minutes)
# make check-intree    vtap in a kernel source: built, booted, and tested as the kernel's own; TESTS="bed.py" for some
# make demo            a guided tour in a VM
# make bench           what taps cost per packet, in a VM (5 minutes); ROWS="miss-64 erspan2-64" for some; SMP=1 for copies
#                      per second on one and on two processors; see Documentation/networking/vtap-cost.rst
# make coverage        which lines of the module the self-tests reach, by file, in a VM (20 minutes); TESTS="bed.py"
# make mutate          do the tests catch faults planted in copies of the module? in a VM (20 minutes); KERNEL=debug for those
#                      that take KASAN, lockdep, kmemleak or KUnit to see
# make debug-kernel    kernel "debug", for make check KERNEL=debug: KASAN, lockdep and so on (12 minutes, once)
# make lint gen clean  as they say; gen makes the netlink code from its YAML specification

KDIR ?= /lib/modules/$(shell uname -r)/build
KERNEL ?= 6.1

all: modules tools

modules:
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules

tools:
	$(MAKE) -C tools/vtap

VERSION := $(shell sed -n 's/^\#define VTAP_VERSION[^_].*"\(.*\)"/\1/p' kmod/version.h)
DKMS_DIR := $(DESTDIR)/usr/src/vtap-$(VERSION)

# Debian's headers lack System.map, and modules_install then leaves out depmod
install: all install-files
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules_install
	$(if $(DESTDIR)$(INSTALL_MOD_PATH),,depmod -a $$(cat $(KDIR)/include/config/kernel.release))

install-files: tools
	$(MAKE) -C tools/vtap install
	$(MAKE) -C tools/packaging install

install-fleet:
	$(MAKE) -C tools/fleet install

uninstall-fleet:
	$(MAKE) -C tools/fleet uninstall

dkms-source:
	install -d $(DKMS_DIR)/kmod $(DKMS_DIR)/uapi/linux
	install -m 0644 Kbuild COPYING $(DKMS_DIR)
	sed 's/#MODULE_VERSION#/$(VERSION)/' tools/packaging/dkms.conf > $(DKMS_DIR)/dkms.conf
	install -m 0644 kmod/Kbuild kmod/*.c kmod/*.h $(DKMS_DIR)/kmod
	install -m 0644 uapi/linux/vtap.h $(DKMS_DIR)/uapi/linux

dkms-install: dkms-remove dkms-source install-files
	$(if $(DESTDIR),,dkms install vtap/$(VERSION))

# all versions, with their sources
dkms-remove:
	$(if $(DESTDIR),,for d in /usr/src/vtap-*/dkms.conf; do \
		[ -e $$d ] || continue; \
		v=$${d#/usr/src/vtap-} v=$${v%/dkms.conf}; \
		dkms remove vtap/$$v --all > /dev/null 2>&1 || :; \
		rm -rf /usr/src/vtap-$$v; \
	done)

rpm:
	@tools/packaging/rpm.sh

# what install and dkms-install put there; a module that is loaded stays loaded, and /etc/vtap stays
uninstall: dkms-remove
	$(MAKE) -C tools/vtap uninstall
	$(MAKE) -C tools/packaging uninstall
	$(if $(DESTDIR),,for f in /lib/modules/*/updates/kmod/vtap.ko* /lib/modules/*/extra/kmod/vtap.ko*; do \
		[ -e $$f ] || continue; \
		rm -f $$f; \
		k=$${f#/lib/modules/}; depmod -a $${k%%/*}; \
	done)

deb:
	@tools/packaging/deb.sh $(DEB_VERSION)

clean:
	[ ! -d $(KDIR) ] || $(MAKE) -C $(KDIR) M=$(CURDIR) clean
	$(MAKE) -C tools/vtap clean
	$(MAKE) -C selftests clean
	rm -rf build

check:
	@TESTS="$(TESTS)" SMOKE="$(SMOKE)" tools/bed/check.sh $(KERNEL)

check-all:
	@TESTS="$(TESTS)" SMOKE=plain tools/bed/check.sh 5.10 6.1 6.12 sid
	@$(if $(TESTS),,tools/packaging/check.sh && tools/packaging/reboot.sh)

check-packages:
	@tools/packaging/check.sh; check=$$?; tools/packaging/reboot.sh && exit $$check

check-intree:
	@TESTS="$(TESTS)" tools/packaging/intree-check.sh

demo:
	@tools/bed/setup.sh build kernel vm demo
	@$(MAKE) --no-print-directory -s tools
	@ko=$$(tools/bed/kernel.sh build $(KERNEL)) && tools/bed/vm.sh $(KERNEL) env VTAP_KO=$$ko tools/demo/demo.sh

bench:
	@KERNEL="$(KERNEL)" tools/bench/bench.sh $(if $(SMP),scale,count $(ROWS))

lint:
	@tools/bed/lint.sh

debug-kernel:
	@tools/bed/debug-kernel.sh

coverage:
	@KERNEL="$(KERNEL)" tools/audit/coverage.sh $(TESTS)

mutate:
	@KERNEL="$(KERNEL)" tools/audit/mutate.py

gen:
	@tools/bed/gen.sh

.PHONY: all modules tools install install-files install-fleet uninstall-fleet uninstall dkms-source dkms-install dkms-remove \
	deb rpm clean check check-all check-packages check-intree demo bench lint gen debug-kernel coverage mutate
