#include "options.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <strings.h>

static void set_nodelay(struct tcp_pcb *pcb, u32_t value)
{
    if (value)
        tcp_nagle_disable(pcb);
    else
        tcp_nagle_enable(pcb);
}

static void set_flag(struct tcp_pcb *pcb, u8_t flag, u32_t value)
{
    if (value)
        ip_set_option(pcb, flag);
    else
        ip_reset_option(pcb, flag);
}

static void set_keepalive(struct tcp_pcb *pcb, u32_t value)
{
    set_flag(pcb, SOF_KEEPALIVE, value);
}

static void set_reuse_address(struct tcp_pcb *pcb, u32_t value)
{
    set_flag(pcb, SOF_REUSEADDR, value);
}

static void set_keepalive_idle(struct tcp_pcb *pcb, u32_t value)
{
    pcb->keep_idle = value * 1000;
}

static void set_keepalive_interval(struct tcp_pcb *pcb, u32_t value)
{
    pcb->keep_intvl = value * 1000;
}

static void set_keepalive_count(struct tcp_pcb *pcb, u32_t value)
{
    pcb->keep_cnt = value;
}

/* lwIP knows no urgent data: all of it is in the stream anyway (RFC 6093 6). */
static void set_oob_inline(struct tcp_pcb *pcb, u32_t value)
{
    (void)pcb, (void)value;
}

static void set_ttl(struct tcp_pcb *pcb, u32_t value)
{
    pcb->ttl = (u8_t)value;
}

static void set_tos(struct tcp_pcb *pcb, u32_t value)
{
    pcb->tos = (u8_t)value;
}

static const struct option {
    const char *name;
    long least, most;
    bool of_listener; /* a listener's control block has less than a connection's */
    void (*set)(struct tcp_pcb *pcb, u32_t value);
} OPTIONS[] = {
    {"nodelay", 0, 1, false, set_nodelay},
    {"keepalive", 0, 1, true, set_keepalive},
    {"keepalive_idle", 1, 1000000, false, set_keepalive_idle},
    {"keepalive_interval", 1, 1000000, false, set_keepalive_interval},
    {"keepalive_count", 1, 255, false, set_keepalive_count},
    {"reuse_address", 0, 1, true, set_reuse_address},
    {"oob_inline", 1, 1, true, set_oob_inline},
    {"ttl", 1, 255, true, set_ttl},
    {"tos", 0, 255, true, set_tos},
};

static const struct {
    const char *word;
    long value;
} WORDS[] = {{"on", 1}, {"true", 1}, {"yes", 1}, {"off", 0}, {"false", 0}, {"no", 0}};

static bool number(const json_t *value, long *result)
{
    const char *text = json_string_value(value);
    char *end;

    if (json_is_boolean(value) || json_is_integer(value)) {
        *result = json_is_integer(value) ? json_integer_value(value) : json_is_true(value);
        return true;
    }
    if (text == NULL || *text == '\0')
        return false;
    for (unsigned i = 0; i < LWIP_ARRAYSIZE(WORDS); i++) {
        if (strcasecmp(text, WORDS[i].word) == 0) {
            *result = WORDS[i].value;
            return true;
        }
    }
    *result = strtol(text, &end, 0);
    return *end == '\0';
}

int option_set(struct tcp_pcb *pcb, const char *name, const json_t *value)
{
    for (unsigned i = 0; i < LWIP_ARRAYSIZE(OPTIONS); i++) {
        const struct option *option = &OPTIONS[i];
        long wanted;

        if (strcasecmp(name, option->name) != 0)
            continue;
        if (!number(value, &wanted) || wanted < option->least || wanted > option->most)
            return EINVAL;
        if (pcb->state != LISTEN || option->of_listener)
            option->set(pcb, (u32_t)wanted);
        return 0;
    }
    return ENOPROTOOPT;
}

int options_set_all(struct tcp_pcb *pcb, json_t *options)
{
    const char *name;
    json_t *value;

    json_object_foreach(options, name, value)
    {
        int error = option_set(pcb, name, value);

        if (error != 0)
            return error;
    }
    return 0;
}
