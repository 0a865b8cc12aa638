/*
 * page.c - the page around the charts. See page.h.
 */
#include "postgres.h"

#include "report/page.h"

#include "report/html.h"

void
mls_page_init(MlsPage *page)
{
	initStringInfo(&page->tiles);
	initStringInfo(&page->links);
	initStringInfo(&page->body);
	page->nsections = 0;
	page->nempty = 0;
}

void
mls_page_section(MlsPage *page, const char *id, const char *title, const char *lead)
{
	page->nsections++;
	mls_html_put(&page->links, "<a href=\"#%s\">%s</a>", id, title);
	mls_html_put(&page->body,
				 "<section id=\"%s\" aria-labelledby=\"%s-h\"><h2 id=\"%s-h\">%s</h2><p class=\"lead\">%s</p>\n", id,
				 id, id, title, lead);
}

void
mls_page_section_empty(MlsPage *page, const char *reason)
{
	page->nempty++;
	mls_html_put(&page->body, "<p class=\"empty\">%s</p>", reason);
}

void
mls_page_section_end(MlsPage *page)
{
	mls_html_put(&page->body, "</section>\n");
}

void
mls_page_tile(MlsPage *page, const char *figure, const char *label, const char *tone)
{
	mls_html_put(&page->tiles, "<div class=\"tile %s\"><dt>%s</dt><dd>%s</dd></div>\n", tone, label, figure);
}

/* Nothing is loaded from anywhere, whatever stands in the page: the browser is told so. */
static void
put_head(StringInfo out, const char *title)
{
	mls_html_put(
		out,
		"<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>"
		"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>"
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>"
		"<meta name=\"color-scheme\" content=\"light dark\"/><meta name=\"generator\" content=\"ml_score\"/>"
		"<title>%s</title><style>\n",
		title);
	appendStringInfoString(out, mls_page_style);
	mls_html_put(out, "</style></head>\n");
}

char *
mls_page_finish(MlsPage *page, const char *title, const char *subtitle)
{
	StringInfoData out;

	initStringInfo(&out);
	put_head(&out, title);
	mls_html_put(&out, "<body><header><h1>%s</h1><p>%s</p><nav aria-label=\"Sections\">", title, subtitle);
	appendBinaryStringInfo(&out, page->links.data, page->links.len);
	mls_html_put(&out, "</nav></header>\n<main>");
	if (page->nempty == page->nsections)
		mls_html_put(&out,
					 "<p class=\"nothing\"><strong>There is nothing to show yet.</strong> Score some rows, create a "
					 "stream or submit a batch job, then make the report again.</p>\n");
	if (page->tiles.len > 0)
	{
		mls_html_put(&out, "<dl class=\"tiles\">\n");
		appendBinaryStringInfo(&out, page->tiles.data, page->tiles.len);
		mls_html_put(&out, "</dl>\n");
	}
	appendBinaryStringInfo(&out, page->body.data, page->body.len);
	mls_html_put(&out,
				 "</main>\n<footer>Made by ml_score.report(). It shows what the role that made it may see.</footer>"
				 "</body></html>\n");
	return out.data;
}

void
mls_table_open(StringInfo out, const char *caption, const char *heads)
{
	char *copy = pstrdup(heads);

	mls_html_put(out,
				 "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"%s\"><table><caption>%s</caption>"
				 "<thead><tr>",
				 caption, caption);
	for (char *rest = NULL, *head = strtok_r(copy, "|", &rest); head != NULL; head = strtok_r(NULL, "|", &rest))
	{
		if (head[0] == '#')
			mls_html_put(out, "<th scope=\"col\" class=\"n\">%s</th>", head + 1);
		else
			mls_html_put(out, "<th scope=\"col\">%s</th>", head);
	}
	mls_html_put(out, "</tr></thead><tbody>\n");
}

void
mls_table_row(StringInfo out)
{
	mls_html_put(out, "<tr>");
}

void
mls_table_head(StringInfo out, const char *text)
{
	mls_html_put(out, "<th scope=\"row\">%s</th>", text);
}

void
mls_table_text(StringInfo out, const char *text)
{
	mls_html_put(out, "<td>%s</td>", text);
}

void
mls_table_time(StringInfo out, const char *time)
{
	mls_html_put(out, "<td class=\"t\">%s</td>", time);
}

void
mls_table_number(StringInfo out, const char *number)
{
	mls_html_put(out, "<td class=\"n\">%s</td>", number);
}

void
mls_table_badge(StringInfo out, const char *word, const char *tone)
{
	mls_html_put(out, "<td><span class=\"badge %s\">%s</span></td>", tone, word);
}

void
mls_table_row_end(StringInfo out)
{
	mls_html_put(out, "</tr>\n");
}

void
mls_table_close(StringInfo out, int left_out)
{
	mls_html_put(out, "</tbody></table></div>\n");
	if (left_out > 0)
		mls_html_put(out, "<p class=\"more\">%d more are not shown.</p>\n", left_out);
}
