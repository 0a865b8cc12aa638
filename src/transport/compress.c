/*
 * compress.c - request bodies, gzip'd.
 */
#include "postgres.h"

#include <zlib.h>

#include "transport/endpoint.h"
#include "utils/memutils.h"

void
mls_exchange_compress(MlsExchange *exchange)
{
	z_stream stream = {0};
	size_t size;
	int result;

	if (exchange->len == 0 || exchange->len > UINT_MAX / 2)
		return;

	/* 15 + 16: the largest window, in gzip's wrapping. */
	if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	size = deflateBound(&stream, exchange->len);
	exchange->compressed =
		MemoryContextAllocExtended(exchange->endpoint->cxt, size, MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);
	if (exchange->compressed == NULL)
	{
		deflateEnd(&stream);
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	}
	stream.next_in = (Bytef *) exchange->body;
	stream.avail_in = (uInt) exchange->len;
	stream.next_out = (Bytef *) exchange->compressed;
	stream.avail_out = (uInt) size;
	result = deflate(&stream, Z_FINISH);
	deflateEnd(&stream);
	if (result != Z_STREAM_END)
		elog(ERROR, "could not compress a request body: zlib error %d", result);
	exchange->body = exchange->compressed;
	exchange->len = stream.total_out;
}
