/* lwIP without a thread of its own: its addresses, its clock, and what it knows of its connections. */
#ifndef STACK_H
#define STACK_H

#include <stdbool.h>
#include <stdint.h>

#include "lwip/ip_addr.h"
#include "lwip/tcp.h"

/* Start lwIP on the TAP device open as `device`; -1 for none: then it reaches itself only. */
void stack_start(int device, const unsigned char mac[6], unsigned mtu);
/* Give it an address, as 192.0.2.2/24 or 2001:db8::2/64; what is wrong with it, or NULL. */
const char *stack_add_address(const char *text);
const char *stack_set_gateway(const char *text);

/* Nanoseconds: of CLOCK_MONOTONIC, as long as the clock is not stopped. */
int64_t clock_now(void);
/* From now on time passes only by clock_turn(), which moves it on by so many nanoseconds. */
void clock_stop(void);
void clock_turn(int64_t nanoseconds);
/* How long lwIP may be left alone, in ns; INT64_MAX if forever. */
int64_t stack_patience(void);
/* Serve frames (if `readable`), timers that are due, and what lwIP has put off until now; whether there may
 * be more frames. */
bool stack_run(bool readable);

/* The name of the state of the connection, or of the listener where there is none (RFC 9293 3.3.2). */
const char *stack_state(const ip_addr_t *local, u16_t local_port, const ip_addr_t *remote, u16_t remote_port);
/* Whether lwIP still has this connection, and it is the one with this callback argument. */
bool stack_has(const struct tcp_pcb *pcb, const void *argument);

#endif
