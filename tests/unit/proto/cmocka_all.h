/*
 * cmocka.h with what it wants to be included before it. No invariants, ownership or cost.
 */
#ifndef TEST_PROTO_CMOCKA_ALL_H
#define TEST_PROTO_CMOCKA_ALL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
