/* sources: src/batch/blob_sign.c src/batch/percent.c src/codec/base64.c
 *
 * test_blob_sign.c - signatures as azure-storage-blob 12.15.0, which speaks the same version of the service, makes them.
 */
#include "postgres.h"

#include "batch/blob_sign.h"
#include "batch/percent.h"
#include "tap.h"

/* The emulator's account, which is no secret. */
static const char account[] = "devstoreaccount1";
static const char key[] = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

static void
check(const char *got, const char *expected, const char *name)
{
	if (!ok(got != NULL && strcmp(got, expected) == 0, "%s", name))
		printf("#   got:      %s\n#   expected: %s\n", got == NULL ? "NULL" : got, expected);
}

static void
test_shared_key(void)
{
	static const char *const put[] = {"x-ms-version: 2021-12-02",
									  "x-ms-date: Tue, 24 Nov 2026 23:00:00 GMT",
									  "Content-MD5: XUFAKrxLKna5cZ2REBfFkg==",
									  "Content-Type: text/csv",
									  "If-None-Match: *",
									  "X-Ms-Blob-Type: BlockBlob"};
	static const char *const get[] = {"x-ms-version: 2021-12-02", "x-ms-date: Tue, 24 Nov 2026 23:00:00 GMT",
									  "x-ms-client-request-id: abc"};
	static const char *const range[] = {"x-ms-range-get-content-md5: true", "x-ms-range: bytes=0-9"};
	char signature[MLS_SIGNATURE_SIZE];
	char *text;

	text = mls_blob_string_to_sign("PUT", account,
								   "http://127.0.0.1:10000/devstoreaccount1/scoring/a%20b/"
								   "part-000001.csv?comp=block&blockid=YmxrLTAwMDAwMQ%3D%3D",
								   put, lengthof(put), 5);
	check(text,
		  "PUT\n\n\n5\nXUFAKrxLKna5cZ2REBfFkg==\ntext/csv\n\n\n\n*\n\n\nx-ms-blob-type:BlockBlob\n"
		  "x-ms-date:Tue, 24 Nov 2026 23:00:00 GMT\nx-ms-version:2021-12-02\n"
		  "/devstoreaccount1/devstoreaccount1/scoring/a%20b/part-000001.csv\nblockid:YmxrLTAwMDAwMQ==\ncomp:block",
		  "what is signed of a PUT");
	ok(mls_blob_sign(key, text, signature), "it can be signed");
	check(signature, "sU7ADO3/8EXsLciKy2MZNGd2ESc/73NYig5v3BL/GFA=", "its signature");

	text = mls_blob_string_to_sign("GET", account,
								   "https://devstoreaccount1.blob.core.windows.net/"
								   "scoring?restype=container&comp=list&prefix=ml_score%2F1%2F&marker=a%2Bb",
								   get, lengthof(get), 0);
	check(text,
		  "GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-client-request-id:abc\nx-ms-date:Tue, 24 Nov 2026 23:00:00 GMT\n"
		  "x-ms-version:2021-12-02\n/devstoreaccount1/scoring\ncomp:list\nmarker:a+b\nprefix:ml_score/1/\n"
		  "restype:container",
		  "what is signed of a listing");
	mls_blob_sign(key, text, signature);
	check(signature, "ubk3OLXS0Yn+GmjuwzbEry/shX0MLrnNkV+2SgA/Ajg=", "its signature");
	text = mls_blob_string_to_sign("GET", account, "https://a/c/b", range, lengthof(range), 0);
	check(strstr(text, "x-ms"), "x-ms-range:bytes=0-9\nx-ms-range-get-content-md5:true\n/devstoreaccount1/c/b",
		  "a header whose name is another's beginning comes first");
	ok(!mls_blob_sign("not base64!", text, signature), "a key that is no base64 signs nothing");
	ok(!mls_blob_sign("", text, signature), "nor does an empty one");
}

static void
test_sas(void)
{
	static const MlsDelegationKey delegation = {.oid = "11111111-aaaa-bbbb-cccc-222222222222",
												.tid = "33333333-aaaa-bbbb-cccc-444444444444",
												.start = "2026-11-24T00:00:00Z",
												.expiry = "2026-12-01T00:00:00Z",
												.service = "b",
												.version = "2021-12-02",
												.value = "cUtEVGVzdFZhbHVlMDEyMzQ1Njc4OWFiY2RlZg=="};

	check(mls_blob_sas(account, "scoring", "rl", "2026-11-24T00:00:00Z", "2026-12-01T00:00:00Z", true, key, NULL),
		  "st=2026-11-24T00%3A00%3A00Z&se=2026-12-01T00%3A00%3A00Z&sp=rl&spr=https&sv=2021-12-02&sr=c&"
		  "sig=5kVKNg3OzVSOPB92t/iutCBeRDeYDv/3c3ld9Gc2ATU%3D",
		  "a signature of the account's key");
	check(mls_blob_sas(account, "scoring", "racwdl", "", "2026-12-01T00:00:00Z", false, key, NULL),
		  "se=2026-12-01T00%3A00%3A00Z&sp=racwdl&sv=2021-12-02&sr=c&"
		  "sig=rEksTvDu/C6ym542rdlxqjvNtDfUUFH667ni9odCmpo%3D",
		  "one over http, from now on");
	check(
		mls_blob_sas("acct", "scoring", "rl", "2026-11-24T00:00:00Z", "2026-12-01T00:00:00Z", true, NULL, &delegation),
		"st=2026-11-24T00%3A00%3A00Z&se=2026-12-01T00%3A00%3A00Z&sp=rl&spr=https&sv=2021-12-02&sr=c&"
		"skoid=11111111-aaaa-bbbb-cccc-222222222222&sktid=33333333-aaaa-bbbb-cccc-444444444444&"
		"skt=2026-11-24T00%3A00%3A00Z&ske=2026-12-01T00%3A00%3A00Z&sks=b&skv=2021-12-02&"
		"sig=6JhhyGU08YH8myQJ87sPheytN1fXlvVgBqFK%2Bxkkepo%3D",
		"one of a user delegation key");
	ok(mls_blob_sas(account, "scoring", "rl", "", "2026-12-01T00:00:00Z", true, "?", NULL) == NULL,
	   "none of a key that is no base64");
}

static void
test_percent(void)
{
	StringInfoData out;

	initStringInfo(&out);
	mls_percent_encode(&out, "a b/\xC3\xA4?&=+%~", "/");
	check(out.data, "a%20b/%C3%A4%3F%26%3D%2B%25~", "percent-encoding keeps what it is told to");
	check(mls_percent_decode(out.data, out.len), "a b/\xC3\xA4?&=+%~", "and is undone");
	check(mls_percent_decode("%4", 2), "%4", "a half code stays as it is");
	check(mls_percent_decode("100%zz", 6), "100%zz", "so does one that is none");
}

int
main(void)
{
	test_shared_key();
	test_sas();
	test_percent();
	return done_testing();
}
