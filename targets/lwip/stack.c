#include "stack.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "link.h"
#include "lwip/init.h"
#include "lwip/ip.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/sys.h"
#include "lwip/tcpip.h"
#include "lwip/timeouts.h"
#include "netif/ethernet.h"

enum { MOST_PUT_OFF = 64 };

static struct netif interface;
static int device_descriptor = -1;
static int64_t stopped; /* what a stopped clock shows; 0 while it goes */

static struct {
    tcpip_callback_fn function;
    void *context;
} put_off[MOST_PUT_OFF];
static unsigned put_off_count;

/* The library is built for a thread that runs lwIP and a mailbox through which others talk to it.
 * The two functions below take the place of its own (a program's symbols come before those of the
 * libraries it is linked with), so that one thread does everything and time can be moved on. */

u32_t sys_now(void)
{
    return (u32_t)(clock_now() / 1000000);
}

err_t tcpip_try_callback(tcpip_callback_fn function, void *context)
{
    if (put_off_count == MOST_PUT_OFF)
        return ERR_MEM;
    put_off[put_off_count].function = function;
    put_off[put_off_count++].context = context;
    return ERR_OK;
}

static void run_put_off(void)
{
    unsigned count = put_off_count;

    for (unsigned i = 0; i < count; i++)
        put_off[i].function(put_off[i].context);
    put_off_count -= count;
    memmove(put_off, put_off + count, put_off_count * sizeof put_off[0]);
}

int64_t clock_now(void)
{
    struct timespec now;

    if (stopped != 0)
        return stopped;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

void clock_stop(void)
{
    stopped = clock_now();
}

void clock_turn(int64_t nanoseconds)
{
    stopped += nanoseconds;
}

void stack_start(int device, const unsigned char mac[6], unsigned mtu)
{
    unsigned seed;

    if (getrandom(&seed, sizeof seed, 0) == sizeof seed)
        srand(seed);
    device_descriptor = device;
    if (device >= 0)
        fcntl(device, F_SETFL, fcntl(device, F_GETFL) | O_NONBLOCK);
    lwip_init();
    /* In lwIP's first half second all connections have the same ISN, and no RTT is measured. */
    tcp_slowtmr();
    netif_add(&interface, NULL, NULL, NULL, &device_descriptor, link_init, ethernet_input);
    memcpy(interface.hwaddr, mac, sizeof interface.hwaddr);
    interface.mtu = interface.mtu6 = (u16_t)mtu;
    netif_set_default(&interface);
    netif_set_up(&interface);
    /* Addresses are given, not found: no routers are looked for, no duplicates, for that takes seconds. */
    interface.rs_count = 0;
    netif_create_ip6_linklocal_address(&interface, 1);
    netif_ip6_addr_set_state(&interface, 0, IP6_ADDR_PREFERRED);
}

static const char *add_ip4(const ip4_addr_t *address, long length)
{
    ip4_addr_t mask;

    if (length < 1 || length > 32)
        return "the prefix length of an IPv4 address is 1 to 32";
    if (!ip4_addr_isany(netif_ip4_addr(&interface)))
        return "lwIP has one IPv4 address for each interface";
    ip4_addr_set_u32(&mask, lwip_htonl(UINT32_MAX << (32 - length)));
    netif_set_addr(&interface, address, &mask, netif_ip4_gw(&interface));
    return NULL;
}

static const char *add_ip6(const ip6_addr_t *address, long length)
{
    if (length != 64)
        return "lwIP takes every IPv6 prefix for 64 bits long";
    for (s8_t i = 1; i < LWIP_IPV6_NUM_ADDRESSES; i++) {
        if (!ip6_addr_isinvalid(netif_ip6_addr_state(&interface, i)))
            continue;
        netif_ip6_addr_set(&interface, i, address);
        netif_ip6_addr_set_state(&interface, i, IP6_ADDR_PREFERRED);
        return NULL;
    }
    return "lwIP has no room for so many IPv6 addresses";
}

const char *stack_add_address(const char *text)
{
    const char *slash = strchr(text, '/');
    char bare[IPADDR_STRLEN_MAX], *end;
    ip_addr_t address;
    long length;

    if (slash == NULL || (size_t)(slash - text) >= sizeof bare)
        return "an address looks like 192.0.2.2/24 or 2001:db8::2/64";
    snprintf(bare, sizeof bare, "%.*s", (int)(slash - text), text);
    length = strtol(slash + 1, &end, 10);
    if (!ipaddr_aton(bare, &address) || *end != '\0')
        return "an address looks like 192.0.2.2/24 or 2001:db8::2/64";
    return IP_IS_V6_VAL(address) ? add_ip6(ip_2_ip6(&address), length) : add_ip4(ip_2_ip4(&address), length);
}

const char *stack_set_gateway(const char *text)
{
    ip4_addr_t address;

    if (!ip4addr_aton(text, &address))
        return "a gateway is an IPv4 address; IPv6 routers lwIP finds by itself (RFC 4861)";
    netif_set_gw(&interface, &address);
    return NULL;
}

int64_t stack_patience(void)
{
    u32_t left = sys_timeouts_sleeptime();

    if (put_off_count > 0)
        return 0;
    return left == SYS_TIMEOUTS_SLEEPTIME_INFINITE ? INT64_MAX : left * INT64_C(1000000);
}

bool stack_run(bool readable)
{
    bool more = readable && link_read(&interface);

    sys_check_timeouts();
    run_put_off();
    return more;
}

/* ---------------------------------------------------------------- what lwIP knows of its connections */

static const char *const STATES[] = {
    [CLOSED] = "CLOSED",         [LISTEN] = "LISTEN",           [SYN_SENT] = "SYN-SENT",
    [SYN_RCVD] = "SYN-RECEIVED", [ESTABLISHED] = "ESTABLISHED", [FIN_WAIT_1] = "FIN-WAIT-1",
    [FIN_WAIT_2] = "FIN-WAIT-2", [CLOSE_WAIT] = "CLOSE-WAIT",   [CLOSING] = "CLOSING",
    [LAST_ACK] = "LAST-ACK",     [TIME_WAIT] = "TIME-WAIT",
};

const char *stack_state(const ip_addr_t *local, u16_t local_port, const ip_addr_t *remote, u16_t remote_port)
{
    struct tcp_pcb *const lists[] = {tcp_active_pcbs, tcp_tw_pcbs};

    for (unsigned i = 0; i < LWIP_ARRAYSIZE(lists); i++) {
        for (const struct tcp_pcb *pcb = lists[i]; pcb != NULL; pcb = pcb->next) {
            if (pcb->local_port == local_port && pcb->remote_port == remote_port &&
                ip_addr_cmp_zoneless(&pcb->local_ip, local) && ip_addr_cmp_zoneless(&pcb->remote_ip, remote))
                return STATES[pcb->state];
        }
    }
    for (const struct tcp_pcb_listen *pcb = tcp_listen_pcbs.listen_pcbs; pcb != NULL; pcb = pcb->next) {
        if (pcb->local_port == local_port && IP_IS_V6_VAL(pcb->local_ip) == IP_IS_V6(local) &&
            (ip_addr_isany(&pcb->local_ip) || ip_addr_cmp_zoneless(&pcb->local_ip, local)))
            return STATES[LISTEN];
    }
    return STATES[CLOSED];
}

bool stack_has(const struct tcp_pcb *pcb, const void *argument)
{
    struct tcp_pcb *const lists[] = {tcp_active_pcbs, tcp_tw_pcbs};

    for (unsigned i = 0; i < LWIP_ARRAYSIZE(lists); i++) {
        for (const struct tcp_pcb *other = lists[i]; other != NULL; other = other->next) {
            if (other == pcb)
                return other->callback_arg == argument;
        }
    }
    return false;
}
