/*
 * What HELLO and CLIENT share: the texts that a client gives itself.
 *
 * Cost: proportional to the text. Nothing is owned.
 */
#ifndef HEAPD_COMMAND_CMD_CONNECTION_H
#define HEAPD_COMMAND_CMD_CONNECTION_H

#include "command/command.h"

/* Whether the text has no spaces, newlines or special characters, and fits a field with its NUL. */
bool connection_name_fits(struct view text, size_t bytes_max);
/* The same for a connection's name; the error has been written when it does not fit. */
enum status connection_check_name(struct call *c, struct view name) MUST_USE;
/* A text that fits. */
void connection_put_text(char *field, struct view text);

#endif
