/* What the tester asks for (docs/agent.md, "Messages" and "Operations"). */
#ifndef REQUEST_H
#define REQUEST_H

#include <stddef.h>

/* Serve one line; an empty one is none. */
void request_serve(const char *line, size_t length);

#endif
