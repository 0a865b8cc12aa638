/* sources: src/batch/blob_xml.c
 *
 * test_blob_xml.c - listings of Blob Storage, whole, broken and hostile.
 */
#include "postgres.h"

#include "batch/blob_xml.h"
#include "mb/pg_wchar.h"
#include "tap.h"

static bool
read_listing(const char *xml, MlsBlobListing *listing)
{
	memset(listing, 0, sizeof(*listing));
	return mls_blob_xml_listing(xml, strlen(xml), listing);
}

static void
test_sizes(void)
{
	static const struct
	{
		const char *text;
		int64 size;
	} cases[] = {{"0", 0},
				 {"123456789012345", INT64CONST(123456789012345)},
				 {"", -1},
				 {"-5", -1},
				 {"1e3", -1},
				 {" 7", -1},
				 {"1234567890123456", -1},
				 {"99999999999999999999999", -1}};
	MlsBlobListing listing;

	for (int i = 0; i < lengthof(cases); i++)
	{
		ok(read_listing(psprintf("<EnumerationResults><Blobs><Blob><Name>a</Name><Properties><Content-Length>%s"
								 "</Content-Length></Properties></Blob></Blobs><NextMarker/></EnumerationResults>",
								 cases[i].text),
						&listing) &&
			   listing.n == 1 && listing.items[0].size == cases[i].size,
		   "a size of \"%s\"", cases[i].text);
	}
}

static void
test_listing(void)
{
	MlsBlobListing listing;

	ok(read_listing(
		   "\xEF\xBB\xBF<?xml version=\"1.0\" encoding=\"utf-8\"?>"
		   "<EnumerationResults ServiceEndpoint=\"http://a/>\" ContainerName='c'><Prefix>x/</Prefix><Blobs>"
		   "<Blob><Name>x/a &amp; &#228;&#x42;.csv</Name><Properties><Etag>0x8D</Etag>"
		   "<Content-Length>5120</Content-Length><BlobType>BlockBlob</BlobType></Properties><Metadata/></Blob>"
		   "<Blob><Name><![CDATA[x/<b>]]></Name><Properties><Content-Length>0</Content-Length></Properties></Blob>"
		   "</Blobs><NextMarker>m&lt;1</NextMarker></EnumerationResults>\n",
		   &listing),
	   "a page is read");
	ok(listing.n == 2 && strcmp(listing.items[0].name, "x/a & \xC3\xA4"
													   "B.csv") == 0,
	   "names are decoded");
	ok(listing.items[0].size == 5120 && listing.items[1].size == 0, "sizes");
	ok(strcmp(listing.items[1].name, "x/<b>") == 0, "CDATA");
	ok(listing.next_marker != NULL && strcmp(listing.next_marker, "m<1") == 0, "there is another page");

	ok(mls_blob_xml_listing("<EnumerationResults><Blobs/><NextMarker/></EnumerationResults>", 62, &listing) &&
		   listing.n == 2 && listing.next_marker == NULL,
	   "an empty page adds nothing and is the last");
}

static void
test_malformed(void)
{
	static const struct
	{
		const char *what;
		const char *xml;
	} cases[] = {
		{"nothing", ""},
		{"text", "no xml at all"},
		{"HTML", "<html><body>502</body></html>"},
		{"an error", "<Error><Code>AuthenticationFailed</Code></Error>"},
		{"a page cut short", "<EnumerationResults><Blobs><Blob><Name>a</Name></Blob>"},
		{"a name cut short", "<EnumerationResults><Blobs><Blob><Name>a"},
		{"tags that do not match", "<EnumerationResults><Blobs></EnumerationResults></Blobs>"},
		{"an end without a beginning", "</EnumerationResults>"},
		{"an unknown entity", "<EnumerationResults>&xxe;</EnumerationResults>"},
		{"half a surrogate pair", "<EnumerationResults>&#xD800;</EnumerationResults>"},
		{"a document type",
		 "<!DOCTYPE a [<!ENTITY xxe SYSTEM \"file:///etc/passwd\">]><EnumerationResults></EnumerationResults>"},
		{"a comment without end", "<!-- <EnumerationResults/>"},
		{"a tag without end", "<EnumerationResults"},
	};
	MlsBlobListing listing;
	StringInfoData deep;

	for (int i = 0; i < lengthof(cases); i++)
		ok(!read_listing(cases[i].xml, &listing), "%s is no listing", cases[i].what);

	initStringInfo(&deep);
	for (int i = 0; i < 1000; i++)
		appendStringInfoString(&deep, "<EnumerationResults>");
	ok(!read_listing(deep.data, &listing), "nesting has a limit");
}

static void
test_text(void)
{
	static const char error[] = "<?xml version=\"1.0\"?><Error><Code>AuthorizationPermissionMismatch</Code>"
								"<Message>This request is not authorized.\nRequestId:1</Message></Error>";
	char *code = mls_blob_xml_text(error, strlen(error), "Code");

	ok(code != NULL && strcmp(code, "AuthorizationPermissionMismatch") == 0, "an error's code");
	ok(mls_blob_xml_text(error, strlen(error), "Reason") == NULL, "what is not there");
	ok(mls_blob_xml_text(error, 60, "Code") == NULL, "what is cut short");
}

static void
test_block_list(void)
{
	StringInfoData out;
	char id[MLS_BLOCK_ID_SIZE];

	initStringInfo(&out);
	mls_blob_xml_block_list(&out, 2);
	ok(strcmp(out.data, "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList><Latest>YmxvY2stMDAwMDAw</Latest>"
						"<Latest>YmxvY2stMDAwMDAx</Latest></BlockList>") == 0,
	   "a block list");
	mls_blob_block_id(49999, id);
	ok(strcmp(id, "YmxvY2stMDQ5OTk5") == 0, "the last block's id is as long as the first's");
}

int
main(void)
{
	test_listing();
	test_sizes();
	test_malformed();
	test_text();
	test_block_list();
	return done_testing();
}
