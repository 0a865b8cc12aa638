/*
 * upload.c - see upload.h.
 */
#include "postgres.h"

#include "batch/upload.h"

#include <openssl/evp.h>
#include <zlib.h>

#include "miscadmin.h"
#include "utils/memutils.h"

/* A file whose end has not been confirmed. */
typedef struct UploadFile
{
	char *path;
	char *type;
	int blocks;		 /* sent so far */
	int under_way;	 /* of them */
	bool closed;	 /* no more will come */
	EVP_MD_CTX *md5; /* over all blocks; NULL before the first */
	char whole_md5[MLS_MD5_SIZE];
	MemoryContextCallback callback;
} UploadFile;

/* A request in flight. */
typedef struct UploadRequest
{
	UploadFile *file;
	MlsExchange *exchange; /* NULL: free */
	StringInfoData body;
	bool commits; /* it ends its file */
	char md5[MLS_MD5_SIZE];
} UploadRequest;

struct MlsUpload
{
	MlsBlobStore *store;
	MemoryContext cxt;
	size_t block_bytes;
	bool gzip;
	UploadFile *file;
	StringInfoData plain;  /* with gzip: what is to be compressed */
	StringInfoData buffer; /* the next request's body */
	z_stream stream;
	int64 sent; /* bytes of the file that are in requests */
	int parallel;
	UploadRequest *requests;
	MemoryContextCallback callback;
};

/* zlib's memory is its own: see that it goes with the context. */
static void
end_stream(void *arg)
{
	deflateEnd(&((MlsUpload *) arg)->stream);
}

static void
begin_stream(MlsUpload *upload)
{
	/* 15 + 16: the largest window, in gzip's wrapping. */
	if (deflateInit2(&upload->stream, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	upload->callback.func = end_stream;
	upload->callback.arg = upload;
	MemoryContextRegisterResetCallback(upload->cxt, &upload->callback);
}

MlsUpload *
mls_upload_begin(MlsBlobStore *store, size_t block_bytes, int parallel, bool gzip)
{
	MlsUpload *upload = palloc0(sizeof(MlsUpload));

	upload->store = store;
	upload->cxt = CurrentMemoryContext;
	upload->block_bytes = block_bytes;
	upload->gzip = gzip;
	upload->parallel = parallel;
	upload->requests = palloc0(sizeof(UploadRequest) * parallel);
	for (int i = 0; i < parallel; i++)
		initStringInfo(&upload->requests[i].body);
	initStringInfo(&upload->buffer);
	initStringInfo(&upload->plain);
	if (gzip)
		begin_stream(upload);
	return upload;
}

static void
free_digest(void *arg)
{
	EVP_MD_CTX_free(((UploadFile *) arg)->md5);
}

void
mls_upload_open(MlsUpload *upload, const char *path, const char *type)
{
	MemoryContext old = MemoryContextSwitchTo(upload->cxt);
	UploadFile *file = palloc0(sizeof(UploadFile));

	file->path = pstrdup(path);
	file->type = pstrdup(type);
	upload->file = file;
	upload->sent = 0;
	if (upload->gzip)
		deflateReset(&upload->stream);
	MemoryContextSwitchTo(old);
}

StringInfo
mls_upload_buffer(MlsUpload *upload)
{
	return upload->gzip ? &upload->plain : &upload->buffer;
}

/* A place for a request, when one is free. */
static UploadRequest *
find_free(MlsUpload *upload)
{
	for (int i = 0; i < upload->parallel; i++)
	{
		if (upload->requests[i].exchange == NULL)
			return &upload->requests[i];
	}
	return NULL;
}

/* All blocks of a closed file have arrived: make them a blob. */
static void
commit_blocks(MlsUpload *upload, UploadRequest *request, UploadFile *file)
{
	resetStringInfo(&request->body);
	mls_blob_xml_block_list(&request->body, file->blocks);
	request->file = file;
	request->commits = true;
	strlcpy(request->md5, file->whole_md5, MLS_MD5_SIZE);
	request->exchange = mls_blob_put_block_list(upload->store, file->path, file->type, file->whole_md5, &request->body);
}

static void
free_file(UploadFile *file)
{
	/* The digest's callback stays registered; it finds nothing to free. */
	EVP_MD_CTX_free(file->md5);
	file->md5 = NULL;
	pfree(file->path);
	pfree(file->type);
}

/* A request came to its end. */
static void
end_request(MlsUpload *upload, UploadRequest *request)
{
	UploadFile *file = request->file;

	mls_blob_finish_put(upload->store, request->exchange, file->path, request->commits ? request->md5 : NULL);
	mls_exchange_free(request->exchange);
	request->exchange = NULL;
	file->under_way--;
	if (request->commits)
		free_file(file);
	else if (file->closed && file->under_way == 0)
	{
		file->under_way++;
		commit_blocks(upload, request, file);
	}
}

static void
end_finished(MlsUpload *upload)
{
	for (int i = 0; i < upload->parallel; i++)
	{
		UploadRequest *request = &upload->requests[i];

		if (request->exchange != NULL && mls_exchange_done(request->exchange))
			end_request(upload, request);
	}
}

static UploadRequest *
wait_for_free(MlsUpload *upload)
{
	UploadRequest *request;

	mls_exchange_pump(false);
	end_finished(upload);
	while ((request = find_free(upload)) == NULL)
	{
		mls_exchange_pump(true);
		end_finished(upload);
	}
	return request;
}

/* Send the buffer: as the whole file when that ends with it and nothing was sent before, else as a block. */
static void
send_buffer(MlsUpload *upload, bool last)
{
	UploadFile *file = upload->file;
	UploadRequest *request = wait_for_free(upload);
	MemoryContext old = MemoryContextSwitchTo(upload->cxt);
	StringInfoData spare = request->body;

	request->body = upload->buffer;
	resetStringInfo(&spare);
	upload->buffer = spare;
	request->file = file;
	request->commits = last && file->blocks == 0;
	upload->sent += request->body.len;
	file->under_way++;
	if (request->commits)
	{
		mls_blob_md5(request->body.data, request->body.len, request->md5);
		request->exchange = mls_blob_put(upload->store, file->path, file->type, request->body.data, request->body.len);
	}
	else
	{
		if (file->md5 == NULL)
		{
			file->callback.func = free_digest;
			file->callback.arg = file;
			MemoryContextRegisterResetCallback(upload->cxt, &file->callback);
			file->md5 = EVP_MD_CTX_new();
			if (file->md5 == NULL || !EVP_DigestInit_ex(file->md5, EVP_md5(), NULL))
				ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("could not compute an MD5")));
		}
		EVP_DigestUpdate(file->md5, request->body.data, request->body.len);
		request->exchange =
			mls_blob_put_block(upload->store, file->path, file->blocks++, request->body.data, request->body.len);
	}
	MemoryContextSwitchTo(old);
}

/* Compress what there is into the buffer, sending full ones. */
static void
compress_plain(MlsUpload *upload, int flush)
{
	z_stream *stream = &upload->stream;
	int result;

	stream->next_in = (Bytef *) upload->plain.data;
	stream->avail_in = (uInt) upload->plain.len;
	do
	{
		enlargeStringInfo(&upload->buffer, 64 * 1024);
		stream->next_out = (Bytef *) upload->buffer.data + upload->buffer.len;
		stream->avail_out = 64 * 1024;
		result = deflate(stream, flush);
		upload->buffer.len += 64 * 1024 - stream->avail_out;
		upload->buffer.data[upload->buffer.len] = '\0';
		if (upload->buffer.len >= upload->block_bytes)
			send_buffer(upload, false);
	} while (stream->avail_out == 0);
	if (flush == Z_FINISH && result != Z_STREAM_END)
		elog(ERROR, "could not compress a file: zlib error %d", result);
	resetStringInfo(&upload->plain);
}

void
mls_upload_filled(MlsUpload *upload)
{
	if (upload->gzip && upload->plain.len >= 64 * 1024)
		compress_plain(upload, Z_NO_FLUSH);
	else if (!upload->gzip && upload->buffer.len >= upload->block_bytes)
		send_buffer(upload, false);
}

int64
mls_upload_close(MlsUpload *upload)
{
	UploadFile *file = upload->file;
	unsigned char digest[EVP_MAX_MD_SIZE];

	if (upload->gzip)
		compress_plain(upload, Z_FINISH);
	if (upload->buffer.len > 0 || file->blocks == 0)
		send_buffer(upload, true);
	file->closed = true;
	if (file->blocks > 0)
	{
		EVP_DigestFinal_ex(file->md5, digest, NULL);
		EVP_EncodeBlock((unsigned char *) file->whole_md5, digest, 16);
		if (file->under_way == 0)
		{
			UploadRequest *request = wait_for_free(upload);

			file->under_way++;
			commit_blocks(upload, request, file);
		}
	}
	upload->file = NULL;
	return upload->sent;
}

void
mls_upload_finish(MlsUpload *upload)
{
	bool under_way;

	do
	{
		end_finished(upload);
		under_way = false;
		for (int i = 0; i < upload->parallel; i++)
			under_way |= upload->requests[i].exchange != NULL;
		if (under_way)
			mls_exchange_pump(true);
	} while (under_way);
}
