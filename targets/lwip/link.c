#include "link.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lwip/etharp.h"
#include "lwip/ethip6.h"
#include "netif/ethernet.h"

enum { LONGEST_FRAME = UINT16_MAX, FRAMES_AT_ONCE = 64 };

static unsigned char frame[LONGEST_FRAME];
static unsigned long frames_sent;

int link_open(const char *name)
{
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    int descriptor, error;

    if (strlen(name) >= sizeof request.ifr_name) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(request.ifr_name, name);
    descriptor = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    if (descriptor < 0 || ioctl(descriptor, TUNSETIFF, &request) == 0)
        return descriptor;
    error = errno;
    close(descriptor);
    errno = error;
    return -1;
}

static err_t transmit(struct netif *netif, struct pbuf *packet)
{
    static unsigned char out[LONGEST_FRAME];
    int descriptor = *(int *)netif->state;
    u16_t length = pbuf_copy_partial(packet, out, packet->tot_len, 0);

    if (descriptor < 0 || write(descriptor, out, length) != length)
        return ERR_IF;
    frames_sent++;
    return ERR_OK;
}

unsigned long link_sent(void)
{
    return frames_sent;
}

err_t link_init(struct netif *netif)
{
    netif->name[0] = 't';
    netif->name[1] = 'p';
    netif->output = etharp_output;
    netif->output_ip6 = ethip6_output;
    netif->linkoutput = transmit;
    netif->hwaddr_len = ETH_HWADDR_LEN;
    /* lwIP hears Neighbor Solicitations only for groups that it has joined. */
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_MLD6 |
                   NETIF_FLAG_LINK_UP;
    return ERR_OK;
}

bool link_read(struct netif *netif)
{
    int descriptor = *(int *)netif->state;

    for (int i = 0; i < FRAMES_AT_ONCE; i++) {
        ssize_t length = read(descriptor, frame, sizeof frame);
        struct pbuf *packet;

        if (length <= 0)
            return false;
        /* Not PBUF_POOL: Debian's 2.1.3 makes its buffers of 592 octets, and writes 1536 into them. */
        packet = pbuf_alloc(PBUF_RAW, (u16_t)length, PBUF_RAM);
        if (packet == NULL)
            return false;
        pbuf_take(packet, frame, (u16_t)length);
        if (netif->input(packet, netif) != ERR_OK)
            pbuf_free(packet);
    }
    return true;
}
