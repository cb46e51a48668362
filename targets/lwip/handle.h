/* Listeners and connections: lwIP's control blocks, and what has happened to them. */
#ifndef HANDLE_H
#define HANDLE_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "buffer.h"
#include "lwip/tcp.h"

enum direction { READING, WRITING, DIRECTIONS };

struct operation;
TAILQ_HEAD(operations, operation);

struct handle {
    long number;            /* 0 as long as the tester does not know it */
    struct tcp_pcb *pcb;    /* NULL when lwIP has forgotten it; see handle_pcb() */
    u16_t port;             /* the local one */
    bool listener;
    bool connected;         /* has been in ESTABLISHED */
    bool closed;            /* the user has called CLOSE */
    bool ended;             /* the other end's FIN has come */
    int error;              /* what the connection died of, an errno; 0 if it has not */
    bool told;              /* somebody has been told of the error */
    struct buffer received; /* what has come and nobody has asked for: the window is closed by as much */
    char peer[IPADDR_STRLEN_MAX];
    unsigned peer_port;
    json_t *options; /* a listener's, which its connections get as well */
    struct operations waiting[DIRECTIONS];
    STAILQ_HEAD(, handle) established; /* a listener's, not accepted yet; the oldest first */
    STAILQ_ENTRY(handle) next;
};

/* Make a handle for `pcb`, which has its local port; it gets a number by handle_publish(). */
struct handle *handle_new(struct tcp_pcb *pcb);
void handle_publish(struct handle *handle);
/* The handle of this number; NULL if there is none. */
struct handle *handle_find(json_int_t number);
/* The highest number given out. */
long handle_last(void);
/* The next handle to which something has happened since it was last asked for; NULL if none. */
struct handle *handle_changed(void);
void handle_mark_changed(const struct handle *handle);

/* The control block, if lwIP has it still. */
struct tcp_pcb *handle_pcb(struct handle *handle);

/* Turn a fresh control block into a listener with these options, as a new handle; an errno if not. */
int handle_listen(struct tcp_pcb *pcb, int backlog, json_t *options, struct handle **listener);
/* Send the SYN; an errno if lwIP refuses. */
int handle_connect(struct handle *handle, const ip_addr_t *address, u16_t port);
/* Give lwIP of `octets` what it has room for; an errno if it takes none for good. */
int handle_send(struct handle *handle, const void *octets, size_t count, bool more, size_t *taken);
/* Take from what was received; this opens the window. */
void handle_take(struct handle *handle, size_t count);
/* CLOSE, and still receive; an errno if lwIP refuses. */
int handle_close_write(struct handle *handle);
/* Close for both directions, or abort; the handle is gone.  Nothing may wait for it any more. */
void handle_forget(struct handle *handle, bool abort);

#endif
