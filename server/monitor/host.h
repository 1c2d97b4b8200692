/*
 * Which `Host` header the HTTP port answers to. A page of another site can have a browser ask this
 * port by a name that the site's owner lets point here (DNS rebinding), and would read the answer
 * as its own; the header still bears that name. page.c's texts are therefore given only to
 *
 *   localhost, and addresses of loopback;
 *   what `http-bind` says, and the addresses that it stands for;
 *   any address written as a number, where http-bind is every address: no name leads there;
 *   the names of `http-hosts`.
 *
 * The port behind a name does not count: it may have been mapped. A request without the header is
 * no browser's.
 *
 * Ownership: none. Cost: reads the two directives.
 */
#ifndef HEAPD_MONITOR_HOST_H
#define HEAPD_MONITOR_HOST_H

#include "base/address.h"
#include "base/config.h"

/* `bound`: what http-bind stands for. `host`: the header's value; NULL: there is none. */
bool host_is_served(const struct config *config, const struct address_list *bound,
                    const char *host);

#endif
