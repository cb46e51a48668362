/* The tester's end: lines of JSON on stdin and stdout (docs/agent.md, "Transport"). */
#ifndef CHANNEL_H
#define CHANNEL_H

#include <jansson.h>
#include <stdbool.h>

/* What an operation has come to: an object, or an errno with words; with neither it waits. */
struct answer {
    json_t *ok;
    int error;
    const char *detail;
};

static inline struct answer answered(json_t *ok)
{
    return (struct answer){.ok = ok};
}

/* Take stdin and stdout for messages; what else is written to stdout goes to stderr from now on. */
void channel_open(void);
int channel_input(void);
int channel_output(void);
bool channel_has_output(void);

/* Read what is there and serve each whole line; false at the end of the input. */
bool channel_read(void (*serve)(const char *line, size_t length));
/* Write as much as goes; false if nobody reads any more. */
bool channel_flush(void);

/* Queue one reply.  Takes the reference to `answer.ok`, borrows `id`. */
void channel_reply(json_t *id, struct answer answer);
/* How many replies have been queued. */
unsigned long channel_replies(void);

#endif
