/*
 * gunzip.c - see gunzip.h.
 */
#include "postgres.h"

#include <zlib.h>

#include "codec/gunzip.h"

/* Room for so many times the input is made first: JSON is seldom smaller than that. */
#define USUAL_RATIO 6
#define SMALLEST_ROOM 1024

bool
mls_gunzip_detect(const char *data, size_t len)
{
	return len >= 4 && memcmp(data, "\x1f\x8b\x08", 3) == 0 && ((unsigned char) data[3] & 0xE0) == 0;
}

/* Make room for more output; false when there is as much as there may be: the limit, and a byte to tell who passes it. */
static bool
grow(char **out, size_t *room, size_t limit)
{
	if (*room > limit)
		return false;
	*room = Min(*room * 2, limit + 1);
	*out = repalloc(*out, *room);
	return true;
}

static MlsGunzipStatus
inflate_members(z_stream *stream, size_t limit, char **out, size_t *out_len)
{
	size_t room = Min(Max((size_t) stream->avail_in * USUAL_RATIO, SMALLEST_ROOM), limit + 1);

	*out = palloc(room);
	*out_len = 0;
	for (;;)
	{
		int status;

		stream->next_out = (Bytef *) *out + *out_len;
		stream->avail_out = room - *out_len;
		status = inflate(stream, Z_NO_FLUSH);
		*out_len = room - stream->avail_out;
		if (*out_len > limit)
			return MLS_GUNZIP_TOO_LARGE;
		if (status == Z_STREAM_END)
		{
			if (stream->avail_in == 0)
				return MLS_GUNZIP_OK;
			inflateReset(stream);
		}
		else if (status != Z_OK && status != Z_BUF_ERROR)
			return MLS_GUNZIP_MALFORMED;
		else if (stream->avail_out > 0)
			return MLS_GUNZIP_TRUNCATED;
		if (stream->avail_out == 0 && !grow(out, &room, limit))
			return MLS_GUNZIP_TOO_LARGE;
	}
}

static voidpf
allocate(voidpf arg, uInt items, uInt size)
{
	return palloc((Size) items * size);
}

static void
release(voidpf arg, voidpf pointer)
{
	pfree(pointer);
}

MlsGunzipStatus
mls_gunzip(const char *data, size_t len, size_t limit, char **out, size_t *out_len)
{
	z_stream stream = {.zalloc = allocate, .zfree = release};
	MlsGunzipStatus status;

	stream.next_in = (Bytef *) unconstify(char *, data);
	stream.avail_in = len;
	if (len > PG_INT32_MAX || inflateInit2(&stream, MAX_WBITS + 16) != Z_OK)
		return MLS_GUNZIP_MALFORMED;
	status = inflate_members(&stream, limit, out, out_len);
	inflateEnd(&stream);
	if (status != MLS_GUNZIP_OK)
	{
		pfree(*out);
		*out = NULL;
	}
	return status;
}
