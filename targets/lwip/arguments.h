/* The arguments of a request.  Each function returns false after it has said in `answer` what is wrong. */
#ifndef ARGUMENTS_H
#define ARGUMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "channel.h"
#include "handle.h"

bool argument_number(const json_t *request, const char *name, json_int_t least, json_int_t most,
                     json_int_t *value, struct answer *answer);
/* As above; `*value` stays as it is if the request does not name it. */
bool argument_optional(const json_t *request, const char *name, json_int_t least, json_int_t most,
                       json_int_t *value, struct answer *answer);
bool argument_text(const json_t *request, const char *name, const char **value, struct answer *answer);
/* Text that is absent is empty. */
bool argument_optional_text(const json_t *request, const char *name, const char **value,
                            struct answer *answer);
bool argument_handle(const json_t *request, struct handle **handle, struct answer *answer);
/* The moment of clock_now() at which the request's time is over. */
bool argument_deadline(const json_t *request, int64_t *deadline, struct answer *answer);
/* An address of family 4 or 6; the empty text is any. */
bool argument_address(const char *text, json_int_t family, ip_addr_t *address, struct answer *answer);
bool argument_endpoint(const json_t *request, const char *name, ip_addr_t *address, u16_t *port,
                       struct answer *answer);
/* An object, or NULL if it is absent. */
bool argument_options(const json_t *request, json_t **options, struct answer *answer);

#endif
