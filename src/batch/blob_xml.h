/*
 * blob_xml.h - the little XML that Blob Storage speaks: listings, errors and delegation keys read, block lists written.
 * Pure; strings are palloc'd.
 */
#ifndef MLS_BLOB_XML_H
#define MLS_BLOB_XML_H

#include "lib/stringinfo.h"

typedef struct MlsBlobItem
{
	char *name;
	int64 size; /* bytes; -1 when the listing does not say */
} MlsBlobItem;

typedef struct MlsBlobListing
{
	MlsBlobItem *items;
	int n;
	int capacity;
	char *next_marker; /* NULL: it was the last page */
} MlsBlobListing;

/* Add a page of a listing. False when it is not one (malformed, cut short); what it had so far is in listing then. */
extern bool mls_blob_xml_listing(const char *xml, size_t len, MlsBlobListing *listing);

/* The text of the first element of this name, wherever; NULL when there is none or the document is malformed before it. */
extern char *mls_blob_xml_text(const char *xml, size_t len, const char *element);

/* The body that commits n blocks; the ids are mls_blob_block_id's. */
extern void mls_blob_xml_block_list(StringInfo out, int n);

/* Block number i's id as it stands in URLs and lists, in base64; all are of one length. */
#define MLS_BLOCK_ID_SIZE 17
extern void mls_blob_block_id(int i, char id[MLS_BLOCK_ID_SIZE]);

#endif
