/* What can be set for a connection. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <jansson.h>

#include "lwip/tcp.h"

/* Set one option of a connection, or of a listener as far as it has it; 0, ENOPROTOOPT or EINVAL. */
int option_set(struct tcp_pcb *pcb, const char *name, const json_t *value);
/* Set those of an object, which may be NULL; stops at the first that does not go. */
int options_set_all(struct tcp_pcb *pcb, json_t *options);

#endif
