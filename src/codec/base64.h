/*
 * base64.h - base64 (RFC 4648) read back to bytes; writing it is json_write.h's. Pure.
 */
#ifndef MLS_BASE64_H
#define MLS_BASE64_H

/* Decode len characters to out, which has room for len bytes. The number of bytes, or -1 when it is no base64. */
extern int mls_base64_decode(const char *text, int len, unsigned char *out);

#endif
