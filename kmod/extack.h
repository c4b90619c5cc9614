/* SPDX-License-Identifier: GPL-2.0 */
/* Refusals: an error, and the reason for the user. */
#ifndef _VTAP_EXTACK_H
#define _VTAP_EXTACK_H

#include <linux/netlink.h>

/* @err, with @msg as its reason; the latter is a literal, as NL_SET_ERR_MSG() wants it */
#define vtap_refuse(extack, err, msg)						\
({										\
	NL_SET_ERR_MSG(extack, msg);						\
	(err);									\
})

/* the same, and @attr is the attribute that is to blame */
#define vtap_refuse_attr(extack, attr, err, msg)				\
({										\
	NL_SET_ERR_MSG_ATTR(extack, attr, msg);					\
	(err);									\
})

#endif /* _VTAP_EXTACK_H */
