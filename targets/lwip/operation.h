/* Requests that wait: for data, for room, for a connection, or for the end of their time. */
#ifndef OPERATION_H
#define OPERATION_H

#include <stdbool.h>
#include <stdint.h>

#include "channel.h"
#include "handle.h"

struct operation {
    const struct operation_kind *kind;
    struct handle *handle;
    json_t *id;
    int64_t deadline;      /* of clock_now(); INT64_MAX for never */
    bool late;             /* its deadline has passed, and it had its last chance */
    uint64_t wanted, done; /* octets asked for; octets sent */
    uint64_t first;        /* send: the place in the pattern, if there is no data */
    struct buffer data;    /* send: what is left */
    bool patterned, peek;
    TAILQ_ENTRY(operation) next; /* behind it on the same handle */
    TAILQ_ENTRY(operation) other;
};

extern const struct operation_kind ACCEPT, CONNECT, SEND, RECEIVE;

/* Queue it behind those on the same handle, and serve these as far as they get.  It may be gone then. */
void operation_start(struct operation *operation);
/* Serve all that wait for handles to which something has happened, and end those whose time is over. */
void operations_run(void);
/* How long until the next deadline, in ns; INT64_MAX if there is none. */
int64_t operations_patience(void);
/* Answer ECANCELED to all that wait for the handle, and forget it. */
void operations_forget(struct handle *handle, bool abort);
/* The same for every handle, which is aborted. */
void operations_forget_all(void);

#endif
