/* SPDX-License-Identifier: GPL-2.0 */
/* The version of the module, the tool and the packages; nothing else says it. */
#ifndef VTAP_VERSION
#define VTAP_VERSION	"0.1"
#endif
