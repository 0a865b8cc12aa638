/*
 * memory.c - see memory.h.
 */
#include "postgres.h"

#include "memory.h"

typedef struct Piece
{
	struct Piece *next;
	struct Piece **link;
} Piece;

static Piece *pieces;

static void *
track(Piece *piece)
{
	if (piece == NULL)
		abort();
	piece->next = pieces;
	piece->link = &pieces;
	if (pieces)
		pieces->link = &piece->next;
	pieces = piece;
	return piece + 1;
}

static Piece *
untrack(void *pointer)
{
	Piece *piece = (Piece *) pointer - 1;

	*piece->link = piece->next;
	if (piece->next)
		piece->next->link = piece->link;
	return piece;
}

void *
palloc(Size size)
{
	return track(malloc(sizeof(Piece) + size));
}

void *
palloc0(Size size)
{
	return memset(palloc(size), 0, size);
}

void *
MemoryContextAlloc(MemoryContext context, Size size)
{
	return palloc(size);
}

void *
MemoryContextAllocZero(MemoryContext context, Size size)
{
	return palloc0(size);
}

void *
repalloc(void *pointer, Size size)
{
	return track(realloc(untrack(pointer), sizeof(Piece) + size));
}

void
pfree(void *pointer)
{
	free(untrack(pointer));
}

char *
pnstrdup(const char *in, Size len)
{
	char *copy;

	len = strnlen(in, len);
	copy = palloc(len + 1);
	memcpy(copy, in, len);
	copy[len] = '\0';
	return copy;
}

char *
pstrdup(const char *in)
{
	return pnstrdup(in, strlen(in));
}

void
free_everything(void)
{
	while (pieces)
		pfree(pieces + 1);
}
