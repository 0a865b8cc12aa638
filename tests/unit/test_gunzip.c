/* sources: src/codec/gunzip.c
 *
 * test_gunzip.c - gzip'd bodies: whole, cut, damaged, and such as grow beyond all bounds.
 */
#include "postgres.h"

#include <zlib.h>

#include "codec/gunzip.h"
#include "tap.h"

static char packed[1 << 20];

/* Append a gzip member of len bytes (all of them c, or text) to packed; the new length. */
static size_t
add_member(size_t at, const char *text, size_t len, char c)
{
	z_stream stream = {0};
	char *plain = malloc(len + 1);

	if (text)
		memcpy(plain, text, len);
	else
		memset(plain, c, len);
	deflateInit2(&stream, 9, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY);
	stream.next_in = (Bytef *) plain;
	stream.avail_in = len;
	stream.next_out = (Bytef *) packed + at;
	stream.avail_out = sizeof(packed) - at;
	deflate(&stream, Z_FINISH);
	deflateEnd(&stream);
	free(plain);
	return at + stream.total_out;
}

static MlsGunzipStatus
inflate_packed(size_t len, size_t limit, char **out, size_t *out_len)
{
	*out = NULL;
	*out_len = 0;
	return mls_gunzip(packed, len, limit, out, out_len);
}

static void
test_whole(void)
{
	char *out;
	size_t out_len;
	size_t len = add_member(0, "{\"a\": 1}", 8, 0);

	ok(mls_gunzip_detect(packed, len), "gzip is told by its first bytes");
	ok(!mls_gunzip_detect("{\"a\": 1}", 8), "JSON is none");
	ok(!mls_gunzip_detect("\x1f\x8b\x08", 3), "nor are three bytes");
	ok(inflate_packed(len, 8, &out, &out_len) == MLS_GUNZIP_OK && out_len == 8 && memcmp(out, "{\"a\": 1}", 8) == 0,
	   "what was packed comes back, up to the limit");
	ok(inflate_packed(len, 7, &out, &out_len) == MLS_GUNZIP_TOO_LARGE && !out, "a byte beyond the limit does not");
	len = add_member(len, " 2", 2, 0);
	ok(inflate_packed(len, 100, &out, &out_len) == MLS_GUNZIP_OK && out_len == 10, "two members are one text");
	len = add_member(0, "", 0, 0);
	ok(inflate_packed(len, 100, &out, &out_len) == MLS_GUNZIP_OK && out_len == 0, "an empty member is an empty text");
}

static void
test_malformed(void)
{
	char *out;
	size_t out_len;
	size_t len = add_member(0, NULL, 100000, 'x');
	int wrong = 0;

	for (size_t cut = 0; cut < len; cut++)
		wrong += inflate_packed(cut, 1 << 20, &out, &out_len) != MLS_GUNZIP_TRUNCATED || out != NULL;
	ok(wrong == 0, "every shorter part is told to be cut");
	packed[len] = 'x';
	ok(inflate_packed(len + 1, 1 << 20, &out, &out_len) != MLS_GUNZIP_OK, "more after the end is refused");
	packed[len - 5] ^= 1;
	ok(inflate_packed(len, 1 << 20, &out, &out_len) == MLS_GUNZIP_MALFORMED, "a wrong checksum is found");
}

static void
test_bomb(void)
{
	char *out;
	size_t out_len;
	size_t len = add_member(0, NULL, 200 << 20, 0);

	ok(len < 1 << 20 && inflate_packed(len, 16 << 20, &out, &out_len) == MLS_GUNZIP_TOO_LARGE && !out,
	   "%d kB that hold 200 MB are refused at 16 MB", (int) (len / 1024));
}

int
main(void)
{
	test_whole();
	test_malformed();
	test_bomb();
	return done_testing();
}
