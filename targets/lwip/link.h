/* Ethernet frames between lwIP and a TAP device. */
#ifndef LINK_H
#define LINK_H

#include <stdbool.h>

#include "lwip/netif.h"

/* Attach to the TAP device `name`, which is made if there is none; -1 with errno set if that fails. */
int link_open(const char *name);

/* The netif's init function; its state points to the device's descriptor, which is -1 for none. */
err_t link_init(struct netif *netif);

/* Give lwIP the frames that have come, but not more than it may take at one go; whether that was all it may. */
bool link_read(struct netif *netif);
/* How many frames lwIP has sent. */
unsigned long link_sent(void);

#endif
