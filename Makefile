# SPDX-License-Identifier: GPL-2.0
# make                 the modules for the kernel in KDIR (default: the running one) and the tool
# make install         both, the manual page included
# make dkms-install    the module's source under DKMS, which builds it for each kernel; and the tool
# make check           lint, and the self-tests in a VM; KERNEL="6.1 6.12 sid", TESTS="bed.py"
# make check-all       the same under all of Debian's kernels: 5.10, 6.1, 6.12 and sid's
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

install: all
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules_install
	$(MAKE) -C tools/vtap install

DKMS_VERSION := $(shell sed -n 's/^.define VTAP_VERSION\t"\(.*\)"/\1/p' kmod/version.h)
DKMS_DIR := $(DESTDIR)/usr/src/vtap-$(DKMS_VERSION)

dkms-install: tools
	install -d $(DKMS_DIR)/kmod $(DKMS_DIR)/uapi/linux
	install -m 0644 Kbuild COPYING $(DKMS_DIR)
	sed 's/@VERSION@/$(DKMS_VERSION)/' tools/dkms.conf > $(DKMS_DIR)/dkms.conf
	install -m 0644 kmod/Kbuild kmod/*.c kmod/*.h $(DKMS_DIR)/kmod
	install -m 0644 uapi/linux/vtap.h $(DKMS_DIR)/uapi/linux
	$(if $(DESTDIR),,dkms remove vtap/$(DKMS_VERSION) --all > /dev/null 2>&1 || :)
	$(if $(DESTDIR),,dkms install vtap/$(DKMS_VERSION))
	$(MAKE) -C tools/vtap install

clean:
	[ ! -d $(KDIR) ] || $(MAKE) -C $(KDIR) M=$(CURDIR) clean
	$(MAKE) -C tools/vtap clean
	$(MAKE) -C selftests clean
	rm -rf build

check:
	@TESTS="$(TESTS)" SMOKE="$(SMOKE)" tools/check.sh $(KERNEL)

check-all:
	@TESTS="$(TESTS)" tools/check.sh 5.10 6.1 6.12 sid

demo:
	@tools/setup.sh build kernel vm demo
	@$(MAKE) --no-print-directory -s tools
	@ko=$$(tools/kernel.sh build $(KERNEL)) && tools/vm.sh $(KERNEL) env VTAP_KO=$$ko tools/demo.sh

bench:
	@KERNEL="$(KERNEL)" tools/bench.sh $(if $(SMP),scale,count $(ROWS))

lint:
	@tools/lint.sh

debug-kernel:
	@tools/debug-kernel.sh

coverage:
	@KERNEL="$(KERNEL)" tools/coverage.sh $(TESTS)

mutate:
	@KERNEL="$(KERNEL)" tools/mutate.py

gen:
	@tools/gen.sh

.PHONY: all modules tools install dkms-install clean check check-all demo bench lint gen debug-kernel coverage mutate
