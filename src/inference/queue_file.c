/*
 * queue_file.c - see queue_file.h.
 *
 *	header, then for each record: database, owner, the record as it is in memory
 *
 * It is for the same build of this library on the same machine: the header says so, and another's file is not read.
 */
#include "inference/queue_file.h"

#include <unistd.h>

#include "pgstat.h"
#include "storage/fd.h"
#include "utils/memutils.h"

#define PATH PGSTAT_STAT_PERMANENT_DIRECTORY "/ml_score_inference.queue"
#define TEMPORARY_PATH PATH ".tmp"

typedef struct Header
{
	char magic[8];
	uint32 format;
	uint32 record_size; /* of its fixed part */
} Header;

static const Header header = {"MLSCORE", 1, offsetof(MlsRecord, data)};

typedef struct Place
{
	Oid dboid;
	Oid owner;
	Size size;
} Place;

struct MlsQueueFile
{
	FILE *stream;
	bool writing;
	bool failed;
	Size max_size;
	MlsRecord *record; /* that was read last */
};

static void
complain(const char *what, const char *path)
{
	ereport(LOG, (errcode_for_file_access(), errmsg("could not %s file \"%s\": %m", what, path),
				  errdetail("Requests that waited to be written into inference logs are lost.")));
}

static MlsQueueFile *
make(FILE *stream, bool writing)
{
	MlsQueueFile *file = MemoryContextAllocZero(TopMemoryContext, sizeof(MlsQueueFile));

	file->stream = stream;
	file->writing = writing;
	return file;
}

static void
write_bytes(MlsQueueFile *file, const void *bytes, Size size)
{
	file->failed = file->failed || fwrite(bytes, size, 1, file->stream) != 1;
}

MlsQueueFile *
mls_queue_file_create(void)
{
	FILE *stream = AllocateFile(TEMPORARY_PATH, PG_BINARY_W);
	MlsQueueFile *file;

	if (stream == NULL)
	{
		complain("create", TEMPORARY_PATH);
		return NULL;
	}
	file = make(stream, true);
	write_bytes(file, &header, sizeof(header));
	return file;
}

void
mls_queue_file_write(MlsQueueFile *file, Oid dboid, Oid owner, const MlsRecord *record)
{
	Place place = {dboid, owner, record->size};

	write_bytes(file, &place, sizeof(place));
	write_bytes(file, record, record->size);
}

MlsQueueFile *
mls_queue_file_open(Size max_size)
{
	FILE *stream = AllocateFile(PATH, PG_BINARY_R);
	MlsQueueFile *file;
	Header found;

	if (stream == NULL)
	{
		if (errno != ENOENT)
			complain("open", PATH);
		return NULL;
	}
	file = make(stream, false);
	file->max_size = max_size;
	file->failed = fread(&found, sizeof(found), 1, stream) != 1 || memcmp(&found, &header, sizeof(header)) != 0;
	if (file->failed)
		ereport(LOG, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("file \"%s\" is of another version", PATH),
					  errdetail("Requests that waited to be written into inference logs are lost.")));
	return file;
}

/* Read the record that place announces. */
static bool
read_record(MlsQueueFile *file, const Place *place)
{
	if (place->size < offsetof(MlsRecord, data) || place->size > file->max_size)
		return false;
	file->record = MemoryContextAllocExtended(TopMemoryContext, place->size, MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);
	return file->record != NULL && fread(file->record, place->size, 1, file->stream) == 1 &&
		   file->record->size == place->size;
}

const MlsRecord *
mls_queue_file_read(MlsQueueFile *file, Oid *dboid, Oid *owner)
{
	Place place;

	if (file->record != NULL)
		pfree(file->record);
	file->record = NULL;
	if (file->failed || fread(&place, sizeof(place), 1, file->stream) != 1)
		return NULL;
	file->failed = !read_record(file, &place);
	if (file->failed)
	{
		complain("read", PATH);
		return NULL;
	}
	*dboid = place.dboid;
	*owner = place.owner;
	return file->record;
}

static void
end_writing(const MlsQueueFile *file, bool closed)
{
	if (file->failed || !closed)
	{
		complain("write", TEMPORARY_PATH);
		(void) unlink(TEMPORARY_PATH);
	}
	else
		(void) durable_rename(TEMPORARY_PATH, PATH, LOG);
}

void
mls_queue_file_close(MlsQueueFile *file)
{
	bool closed = FreeFile(file->stream) == 0;

	if (file->writing)
		end_writing(file, closed);
	else
		(void) durable_unlink(PATH, LOG);
	if (file->record != NULL)
		pfree(file->record);
	pfree(file);
}
