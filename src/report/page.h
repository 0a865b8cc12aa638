/*
 * page.h - the page around the charts: head, tiles, sections, tables, foot. Pure.
 *
 * Sections write into the page in their order; the tiles that stand above them are collected on the way. Texts are UTF-8.
 */
#ifndef MLS_PAGE_H
#define MLS_PAGE_H

#include "postgres.h"

#include "lib/stringinfo.h"

/* How a figure or a word is to be taken; the class of the page's style is named so. */
#define MLS_GOOD "good"
#define MLS_WARN "warn"
#define MLS_BAD "bad"
#define MLS_PLAIN "plain"

typedef struct MlsPage
{
	StringInfoData tiles;
	StringInfoData links;
	StringInfoData body;
	int nsections;
	int nempty; /* of them */
} MlsPage;

extern void mls_page_init(MlsPage *page);

/* A section begins; id is unique within the page. lead says what it is about. */
extern void mls_page_section(MlsPage *page, const char *id, const char *title, const char *lead);

/* It has nothing to show, for this reason. */
extern void mls_page_section_empty(MlsPage *page, const char *reason);
extern void mls_page_section_end(MlsPage *page);

/* A figure at the top of the page, with what it counts. */
extern void mls_page_tile(MlsPage *page, const char *figure, const char *label, const char *tone);

/* The whole page. subtitle says of what it is, and when it was made. */
extern char *mls_page_finish(MlsPage *page, const char *title, const char *subtitle);

/* A table; heads are separated by "|", and those of numbers begin with "#". Then the rows, cell by cell. */
extern void mls_table_open(StringInfo out, const char *caption, const char *heads);
extern void mls_table_row(StringInfo out);
extern void mls_table_head(StringInfo out, const char *text);
extern void mls_table_text(StringInfo out, const char *text);
extern void mls_table_time(StringInfo out, const char *time);
extern void mls_table_number(StringInfo out, const char *number);
extern void mls_table_badge(StringInfo out, const char *word, const char *tone);
extern void mls_table_row_end(StringInfo out);

/* left_out rows are not shown, if that is not 0. */
extern void mls_table_close(StringInfo out, int left_out);

/* style.c */
extern const char mls_page_style[];

#endif
