/* lwip-agent: lwIP on a TAP device, with the agent protocol (docs/agent.md) on stdin and stdout. */

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channel.h"
#include "link.h"
#include "operation.h"
#include "request.h"
#include "stack.h"

enum { WRONG_USAGE = 2, NO_DEVICE = 3, MOST_ADDRESSES = 16, SMALLEST_MTU = 576, LARGEST_MTU = 65500 };

static const char USAGE[] =
    "usage: lwip-agent [--tap NAME | --fd N] --address ADDRESS/LENGTH...\n"
    "                  [--mac MAC] [--gateway ADDRESS] [--mtu OCTETS]\n"
    "\n"
    "  --tap NAME      attach to this TAP device\n"
    "  --fd N          the TAP device (IFF_TAP, IFF_NO_PI) that is open as this descriptor\n"
    "                  without either, lwIP reaches itself only\n"
    "  --address       192.0.2.2/24; 2001:db8::2/64; may be repeated\n"
    "  --mac           lwIP's own; 02:00:00:00:00:02 if not given\n"
    "  --gateway       the IPv4 router\n"
    "  --mtu           1500 if not given\n";

struct arguments {
    int device;
    unsigned mtu;
    unsigned char mac[6];
    const char *addresses[MOST_ADDRESSES];
    int address_count;
    const char *gateway;
};

static void refuse(const char *what, const char *why)
{
    fprintf(stderr, "lwip-agent: %s: %s\n%s", what, why, USAGE);
    exit(WRONG_USAGE);
}

static int whole(const char *text, int least, int most)
{
    char *end;
    long value = strtol(text, &end, 10);

    if (end == text || *end != '\0' || value < least || value > most)
        refuse(text, "not a number that can be");
    return (int)value;
}

static void read_mac(const char *text, unsigned char mac[6])
{
    char rest;

    if (sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%c", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4],
               &mac[5], &rest) != 6)
        refuse(text, "a MAC address looks like 02:00:00:00:00:02");
}

static int open_device(const char *name)
{
    int device = link_open(name);

    if (device < 0) {
        fprintf(stderr, "lwip-agent: TAP device %s: %s\n", name, strerror(errno));
        exit(NO_DEVICE);
    }
    return device;
}

static void read_arguments(int count, char **words, struct arguments *arguments)
{
    static const struct option options[] = {
        {"tap", required_argument, NULL, 't'},     {"fd", required_argument, NULL, 'f'},
        {"mac", required_argument, NULL, 'm'},     {"address", required_argument, NULL, 'a'},
        {"gateway", required_argument, NULL, 'g'}, {"mtu", required_argument, NULL, 'u'},
        {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(count, words, "h", options, NULL)) != -1) {
        switch (option) {
        case 't':
            arguments->device = open_device(optarg);
            break;
        case 'f':
            arguments->device = whole(optarg, 0, INT32_MAX);
            break;
        case 'm':
            read_mac(optarg, arguments->mac);
            break;
        case 'a':
            if (arguments->address_count == MOST_ADDRESSES)
                refuse(optarg, "too many addresses");
            arguments->addresses[arguments->address_count++] = optarg;
            break;
        case 'g':
            arguments->gateway = optarg;
            break;
        case 'u':
            arguments->mtu = (unsigned)whole(optarg, SMALLEST_MTU, LARGEST_MTU);
            break;
        case 'h':
            fputs(USAGE, stderr);
            exit(0);
        default:
            refuse("wrong usage", "see below");
        }
    }
    if (optind < count)
        refuse(words[optind], "not an option");
    if (arguments->address_count == 0)
        refuse("--address", "missing");
}

static void start(const struct arguments *arguments)
{
    const char *trouble;

    stack_start(arguments->device, arguments->mac, arguments->mtu);
    for (int i = 0; i < arguments->address_count; i++) {
        if ((trouble = stack_add_address(arguments->addresses[i])) != NULL)
            refuse(arguments->addresses[i], trouble);
    }
    if (arguments->gateway != NULL && (trouble = stack_set_gateway(arguments->gateway)) != NULL)
        refuse(arguments->gateway, trouble);
}

/* Serve tester and network until the tester has gone. */
static void serve(int device)
{
    struct pollfd ends[] = {{channel_input(), POLLIN, 0}, {-1, POLLOUT, 0}, {device, POLLIN, 0}};

    for (;;) {
        int64_t stack = stack_patience(), requests = operations_patience();
        int64_t patience = stack < requests ? stack : requests;
        struct timespec timeout = {patience / 1000000000, patience % 1000000000};

        ends[1].fd = channel_has_output() ? channel_output() : -1;
        if (ppoll(ends, 3, patience == INT64_MAX ? NULL : &timeout, NULL) < 0 && errno != EINTR)
            return;
        stack_run(ends[2].revents != 0);
        operations_run();
        if (ends[0].revents != 0 && !channel_read(request_serve))
            return;
        stack_run(false);
        operations_run();
        if (!channel_flush())
            return;
    }
}

int main(int count, char **words)
{
    struct arguments arguments = {.device = -1, .mtu = 1500, .mac = {2, 0, 0, 0, 0, 2}};

    signal(SIGINT, SIG_IGN); /* Ctrl-C is the tester's, who ends us by closing our stdin */
    signal(SIGPIPE, SIG_IGN);
    channel_open();
    read_arguments(count, words, &arguments);
    start(&arguments);
    serve(arguments.device);
    operations_forget_all();
    channel_flush();
    return 0;
}
