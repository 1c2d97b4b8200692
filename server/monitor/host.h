/*
 * Checks the `Host` header of HTTP requests. A page of another site can make a browser request this
 * port under a name that the site's owner lets point here (DNS rebinding), and would read the reply
 * as its own. The header still has that name. Pages (page.c) are therefore served only for
 *
 *   localhost, and loopback addresses;
 *   the value of `http-bind`, and the addresses that it resolves to;
 *   any numeric address, if http-bind is every address, since no name is involved;
 *   the names of `http-hosts`.
 *
 * The port in the header is ignored, because it may have been mapped. A request without the header
 * is accepted: browsers always send one.
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
