#include "handle.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lwip/priv/tcp_priv.h"
#include "options.h"
#include "stack.h"

enum { MOST_RECVED_AT_ONCE = 0x7fff };

/* By number.  Numbers are not given out twice, so the table only grows: by eight octets a connection. */
static struct handle **handles;
static long last, room;

/* Numbers of handles to which something has happened; one may be there twice, or be gone. */
static struct buffer changes;

struct handle *handle_new(struct tcp_pcb *pcb)
{
    struct handle *handle = allocate(sizeof *handle);

    handle->pcb = pcb;
    handle->port = pcb->local_port;
    for (int direction = 0; direction < DIRECTIONS; direction++)
        TAILQ_INIT(&handle->waiting[direction]);
    STAILQ_INIT(&handle->established);
    return handle;
}

void handle_publish(struct handle *handle)
{
    if (++last >= room) {
        struct handle **more = allocate(2 * (size_t)last * sizeof *more);

        if (handles != NULL)
            memcpy(more, handles, (size_t)last * sizeof *more);
        free(handles);
        handles = more;
        room = 2 * last;
    }
    handles[last] = handle;
    handle->number = last;
}

struct handle *handle_find(json_int_t number)
{
    return number > 0 && number <= last ? handles[number] : NULL;
}

long handle_last(void)
{
    return last;
}

void handle_mark_changed(const struct handle *handle)
{
    if (handle->number != 0)
        buffer_append(&changes, &handle->number, sizeof handle->number);
}

struct handle *handle_changed(void)
{
    while (buffer_length(&changes) > 0) {
        struct handle *handle;
        long number;

        memcpy(&number, buffer_front(&changes), sizeof number);
        buffer_consume(&changes, sizeof number);
        handle = handle_find(number);
        if (handle != NULL)
            return handle;
    }
    return NULL;
}

struct tcp_pcb *handle_pcb(struct handle *handle)
{
    /* lwIP frees a connection in TIME-WAIT without a word. */
    if (handle->pcb != NULL && handle->closed && handle->ended && !stack_has(handle->pcb, handle))
        handle->pcb = NULL;
    return handle->pcb;
}

/* ---------------------------------------------------------------- what lwIP tells */

static err_t on_received(void *argument, struct tcp_pcb *pcb, struct pbuf *packet, err_t error)
{
    struct handle *handle = argument;

    (void)pcb, (void)error;
    if (packet == NULL) {
        handle->ended = true;
    } else {
        unsigned char *room_for = buffer_room(&handle->received, packet->tot_len);

        buffer_added(&handle->received, pbuf_copy_partial(packet, room_for, packet->tot_len, 0));
        pbuf_free(packet);
    }
    handle_mark_changed(handle);
    return ERR_OK;
}

static err_t on_sent(void *argument, struct tcp_pcb *pcb, u16_t count)
{
    (void)pcb, (void)count;
    handle_mark_changed(argument);
    return ERR_OK;
}

static void on_error(void *argument, err_t error)
{
    struct handle *handle = argument;

    handle->pcb = NULL;
    if (error == ERR_RST)
        handle->error = handle->connected ? ECONNRESET : ECONNREFUSED;
    else if (error == ERR_ABRT)
        handle->error = ETIMEDOUT; /* we abort none that we hold; only lwIP's timers do */
    else if (error != ERR_CLSD)    /* which is the end of an orderly close */
        handle->error = err_to_errno(error);
    handle_mark_changed(handle);
}

static void attend(struct handle *handle)
{
    tcp_arg(handle->pcb, handle);
    tcp_recv(handle->pcb, on_received);
    tcp_sent(handle->pcb, on_sent);
    tcp_err(handle->pcb, on_error);
}

static err_t on_connected(void *argument, struct tcp_pcb *pcb, err_t error)
{
    struct handle *handle = argument;

    (void)pcb, (void)error;
    handle->connected = true;
    handle_mark_changed(handle);
    return ERR_OK;
}

static err_t on_accepted(void *argument, struct tcp_pcb *pcb, err_t error)
{
    struct handle *listener = argument, *handle;

    if (error != ERR_OK || pcb == NULL)
        return ERR_VAL;
    handle = handle_new(pcb);
    handle->connected = true;
    inet_ntop(IP_IS_V6_VAL(pcb->remote_ip) ? AF_INET6 : AF_INET, &pcb->remote_ip, handle->peer,
              sizeof handle->peer); /* lwIP writes capitals, which RFC 5952 4.3 forbids */
    handle->peer_port = pcb->remote_port;
    attend(handle);
    options_set_all(pcb, listener->options); /* they were found good when the listener got them */
    STAILQ_INSERT_TAIL(&listener->established, handle, next);
    handle_mark_changed(listener);
    return ERR_OK;
}

/* ---------------------------------------------------------------- user calls */

int handle_listen(struct tcp_pcb *pcb, int backlog, json_t *options, struct handle **listener)
{
    err_t error = ERR_OK;
    struct tcp_pcb *listening = tcp_listen_with_backlog_and_err(pcb, (u8_t)backlog, &error);

    if (listening == NULL)
        return err_to_errno(error);
    *listener = handle_new(listening);
    (*listener)->listener = true;
    (*listener)->options = json_copy(options);
    tcp_arg(listening, *listener);
    tcp_accept(listening, on_accepted);
    handle_publish(*listener);
    return 0;
}

int handle_connect(struct handle *handle, const ip_addr_t *address, u16_t port)
{
    attend(handle);
    return err_to_errno(tcp_connect(handle->pcb, address, port, on_connected));
}

int handle_send(struct handle *handle, const void *octets, size_t count, bool more, size_t *taken)
{
    struct tcp_pcb *pcb = handle_pcb(handle);
    u16_t length;
    err_t error;

    *taken = 0;
    if (pcb == NULL)
        return ENOTCONN;
    length = (u16_t)LWIP_MIN(count, tcp_sndbuf(pcb));
    if (length == 0 && pcb->state != ESTABLISHED && pcb->state != CLOSE_WAIT)
        return ENOTCONN;
    while (length > 0) {
        u8_t flags = TCP_WRITE_FLAG_COPY | (more || length < count ? TCP_WRITE_FLAG_MORE : 0);

        error = tcp_write(pcb, octets, length, flags);
        if (error == ERR_OK) {
            *taken = length;
            tcp_output(pcb);
            return 0;
        }
        if (error != ERR_MEM)
            return err_to_errno(error);
        length /= 2; /* lwIP counts segments too, and takes all or nothing */
    }
    return 0;
}

void handle_take(struct handle *handle, size_t count)
{
    struct tcp_pcb *pcb = handle_pcb(handle);

    buffer_consume(&handle->received, count);
    while (pcb != NULL && count > 0) {
        u16_t length = (u16_t)LWIP_MIN(count, MOST_RECVED_AT_ONCE);

        tcp_recved(pcb, length);
        count -= length;
    }
}

int handle_close_write(struct handle *handle)
{
    struct tcp_pcb *pcb = handle_pcb(handle);

    if (pcb == NULL)
        return ENOTCONN;
    handle_mark_changed(handle);
    if (pcb->state == SYN_SENT) { /* RFC 9293 3.10.4: delete the TCB */
        tcp_err(pcb, NULL);
        tcp_close(pcb);
        handle->pcb = NULL;
        handle->error = ENOTCONN;
        return 0;
    }
    err_t error = tcp_shutdown(pcb, 0, 1);
    handle->closed = handle->closed || error == ERR_OK;
    return err_to_errno(error);
}

static void close_connection(struct handle *handle, bool abort)
{
    struct tcp_pcb *pcb = handle_pcb(handle);

    if (pcb == NULL)
        return;
    tcp_arg(pcb, NULL);
    tcp_recv(pcb, NULL);
    tcp_sent(pcb, NULL);
    tcp_err(pcb, NULL);
    if (abort || tcp_close(pcb) != ERR_OK)
        tcp_abort(pcb);
}

void handle_forget(struct handle *handle, bool abort)
{
    struct handle *unknown;

    if (handle->number != 0)
        handles[handle->number] = NULL;
    while ((unknown = STAILQ_FIRST(&handle->established)) != NULL) {
        STAILQ_REMOVE_HEAD(&handle->established, next);
        handle_forget(unknown, true);
    }
    if (handle->listener)
        tcp_close(handle->pcb);
    else
        close_connection(handle, abort);
    buffer_free(&handle->received);
    json_decref(handle->options);
    free(handle);
}
