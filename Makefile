# SPDX-License-Identifier: GPL-2.0
# make                 the modules for the kernel in KDIR (default: the running one) and the tool
# make install         both, the manual page included
# make check           lint, and the self-tests in a VM; KERNEL="6.1 6.12 sid", TESTS="bed.py"
# make demo            a guided tour in a VM
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

clean:
	[ ! -d $(KDIR) ] || $(MAKE) -C $(KDIR) M=$(CURDIR) clean
	$(MAKE) -C tools/vtap clean
	rm -rf build

check:
	@TESTS="$(TESTS)" tools/check.sh $(KERNEL)

demo:
	@tools/setup.sh build kernel vm demo
	@$(MAKE) --no-print-directory -s tools
	@ko=$$(tools/kernel.sh build $(KERNEL)) && tools/vm.sh $(KERNEL) env VTAP_KO=$$ko tools/demo.sh

lint:
	@tools/lint.sh

gen:
	@tools/gen.sh

.PHONY: all modules tools install clean check demo lint gen
